"""Label Studio JSON-MIN: one flat object per annotation, its controls among the task's data."""

from services.annotation.formats.label_studio_min.reader import read
from services.annotation.formats.label_studio_min.writer import writer

__all__ = ["read", "writer"]
