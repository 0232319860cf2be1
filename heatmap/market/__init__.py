"""A market's values: quotes, bars, periods and calendars, and the checks of their figures."""
