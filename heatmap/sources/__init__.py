"""Sources of quotes. Each module has a pure `parse` for the answers of its source."""
