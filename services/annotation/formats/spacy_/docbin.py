"""A DocBin, the binary training data of spaCy 3."""

from __future__ import annotations

from services.annotation.formats.spacy_.docbin_reader import read
from services.annotation.formats.spacy_.docbin_writer import writer

__all__ = ["read", "writer"]
