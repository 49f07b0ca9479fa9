"""Other tools that training is compared with, each in an environment of its own.

A folder per peer holds its pinned `requirements.txt` and its runner. Runners read the texts as JSON
lines, and write their predictions as JSON lines and what they cost as `figures.json`.
"""
