"""The SDK's value types, one module per area; `spanloop.types` re-exports them."""
