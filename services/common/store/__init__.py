"""Documents behind one narrow port: `port` says what, `open` connects, the rest are adapters."""
