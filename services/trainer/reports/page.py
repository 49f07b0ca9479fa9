"""A report as one HTML page that needs no script, no network and no other file.

Imported in child processes only: the plots need matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from services.trainer.domain import SpanMetrics
from services.trainer.reports import plots
from services.trainer.reports.model import (
    PrecisionReport,
    SplitReport,
    TrainingReport,
    WorstExample,
)

# Nothing may be loaded or run, whatever a text in the report tries.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
  color: #202124; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin-top: 1.5rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid #dadce0; padding: .25rem .75rem; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.all td { font-weight: 600; }
svg { max-width: 100%; height: auto; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f8fa; padding: .5rem .75rem;
  border-radius: 4px; }
.missed { color: #b3261e; } .spurious { color: #7a4d00; } .hint { color: #5f6368; }
@media print { body { max-width: none; margin: 0; } }
"""


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """What the page says besides the report.

    Attributes:
        title: Its heading.
        facts: What was trained, when and how: name, value.
        epochs: The passes: number, loss, F1 on dev.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    epochs: Sequence[tuple[int, float, float]]


def page(report: TrainingReport, about: PageFacts) -> str:
    """Return the page."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(about.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(about.title)}</h1>",
        _table((), about.facts),
    ]
    if not report.splits:
        parts.append('<p class="hint">No split was held out: there is nothing to measure on.</p>')
    for split in report.splits:
        parts += _split(split)
    if report.precision is not None:
        parts += _precision(report.precision)
    if report.learning_curve:
        parts += ["<h2>Learning curve</h2>", plots.learning_curve_plot(report.learning_curve)]
    if about.epochs:
        parts += ["<h2>Passes</h2>", plots.passes_plot(about.epochs)]
        parts.append('<p class="hint">Solid: F1 on dev. Dashed: training loss.</p>')
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _precision(report: PrecisionReport) -> Iterable[str]:
    yield f"<h2>{escape(report.fp32.split)}, on the trunk in fp32</h2>"
    what = "Trained" if report.trained else "Read by the same adapters"
    yield (
        f'<p class="hint">{what} in fp32 instead of {escape(report.precision)}: what is better '
        f"here is what the precision costs. More than {report.max_label_loss:g} of F1 of a label "
        f"with at least {report.min_spans:,} spans, and it would have been refused.</p>"
    )
    yield _metrics(report.fp32.labels, report.fp32.micro, report.fp32.macro)


def _split(split: SplitReport) -> Iterable[str]:
    evaluation = split.evaluation
    yield f"<h2>{escape(evaluation.split)}: {evaluation.texts:,} texts</h2>"
    yield _metrics(evaluation.labels, evaluation.micro, evaluation.macro)
    if split.confusion:
        matrix, left_out = plots.confusion_plot(split.confusion)
        yield "<h3>Who was taken for whom</h3>"
        yield matrix
        note = "Last row: spurious. Last column: missed. The diagonal holds boundary errors too."
        if left_out:
            note += f" The {left_out} rarest labels are left out."
        yield f'<p class="hint">{note}</p>'
        names = ("correct", "boundary", "wrong_label", "missed", "spurious")
        yield _table(
            ("label", *(name.replace("_", " ") for name in names)),
            (
                (entry.label, *(f"{getattr(entry, name):,}" for name in names))
                for entry in split.errors
            ),
        )
    if any(entry.count for entry in split.calibration):
        yield "<h3>Calibration</h3>"
        yield plots.calibration_plot(split.calibration)
        yield f'<p class="hint">Expected calibration error: {split.calibration_error:.3f}.</p>'
    if split.worst:
        yield "<h3>Worst examples</h3>"
        for example in split.worst:
            yield _example(example)


def _metrics(labels: Mapping[str, SpanMetrics], micro: SpanMetrics, macro: SpanMetrics) -> str:
    rows = [*sorted(labels.items()), ("all (micro)", micro), ("all (macro)", macro)]
    return _table(
        ("label", "precision", "recall", "F1", "annotated", "predicted", "right"),
        (
            (
                name,
                f"{metrics.precision:.3f}",
                f"{metrics.recall:.3f}",
                f"{metrics.f1:.3f}",
                f"{metrics.support:,}",
                f"{metrics.predicted:,}",
                f"{metrics.correct:,}",
            )
            for name, metrics in rows
        ),
        emphasised=2,
    )


def _example(example: WorstExample) -> str:
    lines = [f'<div class="text">{escape(example.text)}</div><p>']
    for kind, spans in (("missed", example.missed), ("spurious", example.spurious)):
        lines += [f'<span class="{kind}">{kind}: {escape(span)}</span><br>' for span in spans]
    return "\n".join([*lines, "</p>"])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, emphasised: int = 0) -> str:
    """Return a table; all columns but the first are numbers if it has heads."""
    body = [list(row) for row in rows]
    kind = ' class="n"' if heads else ""
    lines = ["<table>"]
    if heads:
        cells = "".join(
            f"<th{kind if i else ''}>{escape(head)}</th>" for i, head in enumerate(heads)
        )
        lines.append(f"<tr>{cells}</tr>")
    for index, row in enumerate(body):
        cells = "".join(f"<td{kind if i else ''}>{escape(cell)}</td>" for i, cell in enumerate(row))
        mark = ' class="all"' if index >= len(body) - emphasised else ""
        lines.append(f"<tr{mark}>{cells}</tr>")
    return "\n".join([*lines, "</table>"])
