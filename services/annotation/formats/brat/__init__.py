"""brat standoff: a tar file of pairs, ``NAME.txt`` with a text and ``NAME.ann`` about it."""

from __future__ import annotations

from services.annotation.formats.brat.reader import read
from services.annotation.formats.brat.writer import writer

__all__ = ["read", "writer"]
