"""``python -m services.annotation``: run the annotation service."""

from __future__ import annotations

from services.annotation.bootstrap import build
from services.annotation.config import AnnotationSettings
from services.common.main import main

if __name__ == "__main__":
    main(AnnotationSettings, build)
