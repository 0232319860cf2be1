"""Publishers: each puts files on one kind of web server, under a temporary name that it then renames."""
