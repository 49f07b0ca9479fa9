"""The Open Inference Protocol (v2) beside our own service; docs/open-inference-protocol.md."""
