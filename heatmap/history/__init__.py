"""What the program remembers of its markets: the ticks of each session, and daily bars."""
