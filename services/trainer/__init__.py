"""The trainer service: a queue of training jobs, and workers that run them in child processes."""
