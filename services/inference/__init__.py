"""The inference service: predicts with the deployed adapters and pre-annotates open tasks."""
