"""The registry service: trunks, adapters, model versions, and what each project serves."""
