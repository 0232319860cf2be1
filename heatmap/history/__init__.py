"""The history of the markets: the ticks of each session, and daily bars."""
