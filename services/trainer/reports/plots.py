"""The plots of a report, as SVG that needs nothing from elsewhere.

Imported in child processes only: matplotlib is large.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from services.trainer.reports.model import CalibrationBin, ConfusionCell, LearningCurvePoint

mpl.use("svg")
mpl.rcParams.update(
    {
        # Letters stay letters: every script shows, and the browser has the fonts.
        "svg.fonttype": "none",
        "svg.hashsalt": "spanloop",
        "font.family": "sans-serif",
        "font.size": 9,
        # Labels may hold dollar signs.
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)

_MAX_LABELS = 30
_MAX_NAME = 24
_NOTHING = "(nothing)"
_BLUE, _GREY = "#1f5fa8", "#9aa0a6"


def confusion_plot(cells: Sequence[ConfusionCell]) -> tuple[str, int]:
    """Return the matrix of the most frequent labels, and how many labels were left out."""
    totals: dict[str, int] = {}
    for cell in cells:
        for name in {cell.annotated, cell.predicted} - {""}:
            totals[name] = totals.get(name, 0) + cell.count
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    shown = [*sorted(ranked[:_MAX_LABELS]), ""]
    place = {name: index for index, name in enumerate(shown)}
    counts = [[0] * len(shown) for _ in shown]
    for cell in cells:
        if cell.annotated in place and cell.predicted in place:
            counts[place[cell.annotated]][place[cell.predicted]] += cell.count
    side = 1.8 + 0.36 * len(shown)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    # Coloured by the share of what was annotated: rare labels are as readable as frequent ones.
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    # A mesh, not an image: it stays sharp, and the page's policy allows no images.
    edges = [index - 0.5 for index in range(len(shown) + 1)]
    axes.pcolormesh(edges, edges, shares, cmap="Blues", vmin=0, vmax=1)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    names = [_short(name) or _NOTHING for name in shown]
    axes.set_xticks(range(len(shown)), names, rotation=90)
    axes.set_yticks(range(len(shown)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("annotated")
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            if count:
                dark = shares[row][column] > 0.5
                axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "black",
                )
    return _svg(figure), max(len(ranked) - _MAX_LABELS, 0)


def calibration_plot(bins: Sequence[CalibrationBin]) -> str:
    """Return precision over score, with the number of predictions below."""
    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [entry for entry in bins if entry.count]
    upper.plot([0, 1], [0, 1], color=_GREY, linestyle="--", label="as it should be")
    upper.plot(
        [entry.mean_score for entry in filled],
        [entry.precision for entry in filled],
        color=_BLUE,
        marker="o",
        label="this model",
    )
    upper.set_ylabel("share that is right")
    upper.set_ylim(0, 1.02)
    upper.legend(frameon=False, loc="upper left")
    lower.bar(
        [(entry.low + entry.high) / 2 for entry in bins],
        [entry.count for entry in bins],
        width=[0.9 * (entry.high - entry.low) for entry in bins],
        color=_BLUE,
    )
    lower.set_xlabel("score")
    lower.set_ylabel("predictions")
    lower.set_xlim(0, 1)
    return _svg(figure)


def learning_curve_plot(points: Sequence[LearningCurvePoint]) -> str:
    """Return F1 on dev over the number of train texts."""
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        [point.texts for point in points],
        [point.micro_f1 for point in points],
        color=_BLUE,
        marker="o",
    )
    axes.set_xlabel("train texts")
    axes.set_ylabel("micro F1 on dev")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    return _svg(figure)


def passes_plot(epochs: Sequence[tuple[int, float, float]]) -> str:
    """Return loss and F1 on dev over the passes: number, loss, F1."""
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.add_subplot()
    numbers = [number for number, _, _ in epochs]
    axes.plot(numbers, [f1 for _, _, f1 in epochs], color=_BLUE, marker=".", label="micro F1 (dev)")
    axes.set_xlabel("pass")
    axes.set_ylabel("micro F1 on dev")
    axes.set_ylim(0, 1.02)
    other = axes.twinx()
    other.plot(numbers, [loss for _, loss, _ in epochs], color=_GREY, linestyle="--", label="loss")
    other.set_ylabel("training loss")
    other.set_ylim(bottom=0)
    return _svg(figure)


def _short(name: str) -> str:
    shown = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    return shown if len(shown) <= _MAX_NAME else shown[: _MAX_NAME - 1] + "…"


def _svg(figure: Figure) -> str:
    """Return a figure as the element alone, without what a file of its own would begin with."""
    stream = io.StringIO()
    # No metadata: they name addresses and the date.
    figure.savefig(
        stream,
        format="svg",
        metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
    )
    whole = stream.getvalue()
    return whole[whole.index("<svg") :]
