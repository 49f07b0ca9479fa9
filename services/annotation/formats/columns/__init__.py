"""Formats with one token per line, or per word of a line."""
