"""`python -m services.registry`: serve until told to stop; `… config`: print the settings."""

from __future__ import annotations

from services.common.main import main
from services.registry.bootstrap import build
from services.registry.config import RegistrySettings

if __name__ == "__main__":
    main(RegistrySettings, build)
