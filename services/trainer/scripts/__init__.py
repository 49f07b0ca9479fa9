"""Custom training scripts: kept by the trainer, run apart from it."""
