"""Monitoring of the runs: a ping, a file of metrics, and status.json."""
