"""WebAnno TSV, as INCEpTION and WebAnno write it: version 3 is read and written, 2 is read."""

from __future__ import annotations

from services.annotation.formats.columns.webanno.reader import read
from services.annotation.formats.columns.webanno.writer import writer

__all__ = ["read", "writer"]
