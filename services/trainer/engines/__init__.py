"""Training engines. This package, and the child processes that run it, alone import torch.

``interface`` and ``params`` are free of torch: the trainer's server process uses them to build a
request; ``ladder_engine.train`` is what the worker's child process calls.
"""
