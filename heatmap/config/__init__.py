"""Reads heatmap.toml into frozen options, and finds the classes of sources and publishers."""
