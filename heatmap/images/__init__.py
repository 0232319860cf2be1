"""The map as a picture of its own, for previews, mails and chat: one geometry, drawn as SVG and as PNG."""
