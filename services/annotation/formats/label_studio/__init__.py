"""Label Studio JSON: tasks with annotations, drafts and predictions."""

from __future__ import annotations

from services.annotation.formats.label_studio.reader import read
from services.annotation.formats.label_studio.writer import writer

__all__ = ["read", "writer"]
