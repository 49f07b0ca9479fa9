"""Prodigy's JSON lines: spans, relations, choices and answers."""
