"""Texts without spans: plain text, CSV, fastText."""
