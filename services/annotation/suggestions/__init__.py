"""Which tasks to annotate next."""
