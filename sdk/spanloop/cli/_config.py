"""`spanloop config`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop._connect import SERVICES
from spanloop.cli._checkout import find_checkout, read_settings
from spanloop.cli._output import print_json, print_table
from spanloop.cli._session import AsJson
from spanloop.errors import ConfigurationError


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("config")(config)


def config(
    service: Annotated[
        str, typer.Argument(metavar="[SERVICE]", help="One service; default: all four.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print the settings of the services: variables, values in effect, defaults, meaning."""
    if service and service not in SERVICES:
        raise ConfigurationError(f"{service} is no service: there are {', '.join(SERVICES)}.")
    checkout = find_checkout()
    wanted = [service] if service else list(SERVICES)
    found = {name: read_settings(name, checkout) for name in wanted}
    if as_json:
        print_json(found)
        return
    for name, settings in found.items():
        print_table(
            ["variable", "value", "default", "meaning"],
            (
                (_variable(entry), entry.get("value"), entry.get("default"), entry["description"])
                for entry in settings
            ),
            title=f"{name} (a variable without {name.upper()}_ sets it for all services)",
        )


def _variable(entry: dict[str, object]) -> object:
    names = entry.get("env")
    return names[0] if isinstance(names, list) and names else entry.get("name")
