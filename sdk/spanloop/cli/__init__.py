"""The command line `spanloop`."""

from __future__ import annotations

from spanloop.cli._main import app, main

__all__ = ["app", "main"]
