"""Which tasks are meant, and which of their completions are trained on."""
