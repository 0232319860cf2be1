"""The pictures of the data. Each picture has a folder of its own."""
