"""Draws a market as one static web page, on a schedule, and puts it on any web server."""

__version__ = "0.2.0"
