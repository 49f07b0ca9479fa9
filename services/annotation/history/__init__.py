"""What was changed, by whom, and how it was before."""
