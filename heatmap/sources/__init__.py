"""Where quotes come from: one file a place, each with a pure `parse` of what that place answers."""
