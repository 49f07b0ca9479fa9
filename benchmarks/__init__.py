"""Figures of speed and quality; `python -m benchmarks.<name>` ends with one line of JSON."""
