"""What is told of each run to those who watch over it: a ping, a file of metrics, and status.json."""
