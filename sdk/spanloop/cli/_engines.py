"""`spanloop engines`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._output import out, print_json, print_table
from spanloop.cli._session import AsJson, Context, session_of
from spanloop.types import EngineDescription, ModelType, ParameterDescription


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("engines")(engines)


def engines(
    context: Context,
    engine: Annotated[
        str, typer.Argument(metavar="[ENGINE]", help="Show this one with its parameters.")
    ] = "",
    model_type: Annotated[
        ModelType, typer.Option("--type", help="Whose defaults; default: ner.")
    ] = ModelType.UNSPECIFIED,
    as_json: AsJson = False,
) -> None:
    """Show what trains, or the parameters and options of one engine with bounds and defaults."""
    with session_of(context).client() as client:
        found = client.describe_engines(engine, model_type=model_type)
    if as_json:
        print_json(found)
    elif engine:
        for entry in found:
            _show(entry)
    else:
        print_table(
            ["engine", "trains", "continues weights", "#CPU", "#GPU", "what it does"],
            (
                (
                    entry.engine,
                    ", ".join(kind.value for kind in entry.model_types),
                    "yes" if entry.transfer else "no",
                    entry.default_resources.cpu,
                    entry.default_resources.gpu,
                    entry.description,
                )
                for entry in found
            ),
        )


def _show(engine: EngineDescription) -> None:
    out().print(f"{engine.engine}: {engine.description}", markup=False)
    for own, title in ((False, "Parameters"), (True, "Options of this engine")):
        chosen = [entry for entry in engine.parameters if entry.engine_option is own]
        if chosen:
            print_table(
                ["name", "type", "default", "bounds", "what it does"],
                (
                    (
                        entry.name,
                        entry.type,
                        entry.default_value or "from the data",
                        _bounds(entry),
                        entry.description,
                    )
                    for entry in chosen
                ),
                title=title,
            )


def _bounds(parameter: ParameterDescription) -> str:
    if parameter.type not in {"integer", "number"}:
        return ""
    return f"{parameter.minimum:,g} to {parameter.maximum:,g}"
