"""A training script to begin from."""
