"""Ways to put files on a web server: one file a way, each by temporary name and rename."""
