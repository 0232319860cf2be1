"""A branch of a Git repository."""
