"""The peer `adapters`: its pinned environment and its runner, which runs in that environment."""
