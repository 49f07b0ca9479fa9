"""`spanloop predict`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from spanloop.cli._output import note, out, print_json, print_table
from spanloop.cli._session import AsJson, Context, Labels, Project, pairs, session_of, values
from spanloop.errors import ConfigurationError
from spanloop.types import TextPrediction

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
    control: Annotated[
        list[str] | None,
        typer.Option(help="Only these choices; may be repeated. None: all, unless --labels."),
    ] = None,
    span: Annotated[
        list[str] | None,
        typer.Option(
            metavar="START:END",
            help="Span whose assertion status is wanted, of the only text; may be repeated.",
        ),
    ] = None,
    uncertainty: Annotated[bool, typer.Option(help="Show how sure the models are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict spans, choices and assertion statuses of texts with what the project serves."""
    pins = pairs(pin, "--pin")
    if not texts:
        texts = [line.rstrip("\r\n") for line in sys.stdin]
        texts = [text for text in texts if text]
    if not texts:
        raise ConfigurationError("There is no text: give some as arguments or on stdin.")
    with session_of(context).client() as client:
        result = client.predict(
            project,
            texts,
            labels=values(labels),
            min_score=min_score,
            top_n=top_n,
            pins=pins,
            controls=control or (),
            given_spans=_given(span, texts),
            uncertainty=uncertainty,
        )
    if as_json:
        print_json(
            {
                "generation": result.generation,
                "predictions": [
                    {
                        "text": text,
                        "spans": answer.spans,
                        "windows": answer.windows,
                        "choices": answer.choices,
                        "assertions": answer.assertions,
                        "uncertainty": answer.uncertainty,
                    }
                    for text, answer in zip(texts, result.predictions, strict=True)
                ],
            }
        )
        return
    for text, answer in zip(texts, result.predictions, strict=True):
        shown = text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
        out().print(shown, markup=False, soft_wrap=True)
        _show(text, answer)
    generation = result.generation
    names = {*generation.model_versions.values(), *generation.choice_model_versions.values()}
    names.add(generation.assertion_model_version)
    versions = sorted(name.rpartition("/")[2] for name in names if name)
    note(f"Answered by {generation.name} ({', '.join(versions)}).")


def _show(text: str, answer: TextPrediction) -> None:
    """Show the answer for a text; tables that nothing was asked for are left out."""
    asserted = any(span.assertion for span in answer.spans)
    if answer.spans or not (answer.choices or answer.assertions):
        head = ["label", "text", "#score", "#start", "#end"]
        print_table(
            [*head, "status", "#sure"] if asserted else head,
            (
                (
                    *(span.label, text[span.start : span.end], span.score, span.start, span.end),
                    *((span.assertion, span.assertion_score) if asserted else ()),
                )
                for span in answer.spans
            ),
        )
    if answer.choices:
        print_table(
            ["choice", "value", "#score", "chosen"],
            ((one.control, one.value, one.score, one.chosen) for one in answer.choices),
        )
    if answer.assertions:
        print_table(
            ["span", "status", "#score"],
            (
                (text[one.start : one.end], status.status, status.score)
                for one in answer.assertions
                for status in one.statuses[:1]
            ),
        )
    if (found := answer.uncertainty) is not None:
        note(
            f"least confidence {found.least_confidence:.3f}, margin {found.margin:.3f}, "
            f"entropy {found.entropy:.3f}"
        )


def _given(spans: list[str] | None, texts: list[str]) -> list[list[tuple[int, int]]]:
    """Return the spans whose status is wanted.

    Raises:
        ConfigurationError: There are several texts, or a span is not two numbers.
    """
    if not spans:
        return []
    if len(texts) != 1:
        raise ConfigurationError("--span goes with one text; of several use the Python client.")
    found = []
    for span in spans:
        start, _, end = span.partition(":")
        if not (start.isdecimal() and end.isdecimal()):
            raise ConfigurationError(f"--span {span}: must be START:END, counted in characters.")
        found.append((int(start), int(end)))
    return [found]
