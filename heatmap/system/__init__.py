"""Time limits, background work, files, child processes, secrets, texts from outside, HTTP. Nothing here knows a market."""
