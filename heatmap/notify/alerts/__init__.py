"""What is told of a market beyond its page, in the feed or to a web hook: a stock far out, a new high."""
