"""Alerts of a market, such as a large move or a new high: entries of the feed, and messages to web hooks."""
