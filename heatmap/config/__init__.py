"""heatmap.toml into frozen options, and the index of plugins."""
