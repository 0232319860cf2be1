"""A market's figures become a page: words, data for its script, and the templates that hold them."""
