"""`python -m services.inference`: serve until told to stop; `… config`: print the settings."""

from __future__ import annotations

from services.common.main import main
from services.inference.bootstrap import build
from services.inference.config import InferenceSettings

if __name__ == "__main__":
    main(InferenceSettings, build)
