"""HTTP GETs with limits: of time, bytes, redirects and retries. Calls to web hooks."""
