"""What is remembered between runs, in the state directory."""
