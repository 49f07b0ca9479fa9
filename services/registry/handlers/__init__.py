"""The registry's use cases, one module per kind of resource. No gRPC in here."""
