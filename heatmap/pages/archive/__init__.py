"""Each day's final map at an address of its own, the calendar that lists them, and the feed."""
