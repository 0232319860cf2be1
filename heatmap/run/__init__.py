"""One run, from the calendar to the web servers, and its steps."""
