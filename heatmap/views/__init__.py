"""One module for each picture that can be drawn."""
