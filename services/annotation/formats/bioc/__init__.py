"""BioC XML: collections of documents with passages, annotations and relations."""

from __future__ import annotations

from services.annotation.formats.bioc.reader import read
from services.annotation.formats.bioc.writer import writer

__all__ = ["read", "writer"]
