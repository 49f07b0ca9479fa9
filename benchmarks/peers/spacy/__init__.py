"""The peer spaCy: its pinned environment and its converters, which run in that environment."""
