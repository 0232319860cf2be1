"""Alerts for readers, and monitoring for the operator."""
