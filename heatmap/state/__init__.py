"""The files of the state directory: memory, run log, caches, lock."""
