"""Buckets of S3 and its kin."""
