"""The use cases, one module per kind of resource; no transport, no wiring."""
