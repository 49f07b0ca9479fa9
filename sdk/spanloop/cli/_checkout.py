"""Finding the checkout that holds the services, and running them from it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from spanloop.errors import ConfigurationError

CONFIG_TIMEOUT_SECONDS = 60.0


def find_checkout(start: Path | None = None) -> Path:
    """Return the folder that holds the package `services`.

    Looked for in the folder `start` (default: the current one) and those above it, then on the
    path of this Python, where an editable installation puts it. Nothing of it is imported.

    Raises:
        ConfigurationError: When there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "services" / "common" / "__init__.py").is_file():
            return folder
    spec = importlib.util.find_spec("services")
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        if (Path(location) / "common" / "__init__.py").is_file():
            return Path(location).resolve().parent
    raise ConfigurationError(
        "The services are not here: run this in a checkout of Spanloop (the installed package "
        "holds the client only)."
    )


def service_command(service: str, *arguments: str) -> list[str]:
    """Return the command that runs a service with this Python, started in the checkout."""
    return [sys.executable, "-m", f"services.{service}", *arguments]


def read_settings(
    service: str, checkout: Path, env: Mapping[str, str] | None = None
) -> list[dict[str, object]]:
    """Return what `python -m services.<name> config` prints.

    Raises:
        ConfigurationError: When the service refuses its settings; the message says why.
    """
    done = subprocess.run(  # noqa: S603 - fixed command
        service_command(service, "config"),
        cwd=checkout,
        env=dict(os.environ if env is None else env),
        capture_output=True,
        text=True,
        timeout=CONFIG_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        told = done.stderr.strip() or f"exit status {done.returncode}"
        raise ConfigurationError(f"The settings of {service} cannot be used.\n{told}")
    document = json.loads(done.stdout)
    return [entry for entry in document if isinstance(entry, dict)]
