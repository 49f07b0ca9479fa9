"""The whole loop on real text in one command: `make demo [DATA=folder]`."""
