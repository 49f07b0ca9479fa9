"""Protobuf messages ↔ the SDK's value types; the only modules that know both."""
