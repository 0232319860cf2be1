"""What is drawn of the data; one folder a picture."""
