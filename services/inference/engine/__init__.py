"""Loads models and runs them; with ``services.common.modeling`` the only user of onnxruntime."""
