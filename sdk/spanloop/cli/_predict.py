"""`spanloop predict`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from spanloop.cli._output import note, out, print_json, print_table
from spanloop.cli._session import AsJson, Context, Labels, Project, pairs, session_of, values
from spanloop.errors import ConfigurationError

_SHOWN_LENGTH = 200


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("predict")(predict)


def predict(
    context: Context,
    project: Project,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts; none: one per line of stdin."),
    ] = None,
    labels: Labels = None,
    min_score: Annotated[float, typer.Option(help="Leave out what scores lower.")] = 0.0,
    top_n: Annotated[int, typer.Option(help="At most so many spans over any character.")] = 0,
    pin: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=VERSION", help="Let this version answer for the label."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict the spans of texts with what the project serves."""
    pins = pairs(pin, "--pin")
    if not texts:
        texts = [line.rstrip("\r\n") for line in sys.stdin]
        texts = [text for text in texts if text]
    if not texts:
        raise ConfigurationError("There is no text: give some as arguments or on stdin.")
    with session_of(context).client() as client:
        result = client.predict(
            project, texts, labels=values(labels), min_score=min_score, top_n=top_n, pins=pins
        )
    if as_json:
        print_json(
            {
                "generation": result.generation,
                "predictions": [
                    {"text": text, "spans": answer.spans, "windows": answer.windows}
                    for text, answer in zip(texts, result.predictions, strict=True)
                ],
            }
        )
        return
    for text, answer in zip(texts, result.predictions, strict=True):
        shown = text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
        out().print(shown, markup=False, soft_wrap=True)
        print_table(
            ["label", "text", "#score", "#start", "#end"],
            (
                (span.label, text[span.start : span.end], span.score, span.start, span.end)
                for span in answer.spans
            ),
        )
    versions = sorted(
        {name.rpartition("/")[2] for name in result.generation.model_versions.values()}
    )
    note(f"Answered by {result.generation.name} ({', '.join(versions)}).")
