"""The use cases of the inference service."""
