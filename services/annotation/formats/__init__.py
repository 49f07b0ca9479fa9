"""Formats of task files: reading, writing and recognising them."""
