"""The peer spaCy with a transformer: its pinned environment and its runner, which runs in it."""
