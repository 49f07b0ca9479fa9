"""``python -m services.trainer``."""

from __future__ import annotations

from services.common.main import main
from services.trainer.bootstrap import build
from services.trainer.config import TrainerSettings

if __name__ == "__main__":
    main(TrainerSettings, build)
