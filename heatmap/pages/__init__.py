"""The files around the pictures: pages, the archive, the feed, what a blog embeds."""
