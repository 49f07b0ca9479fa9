"""Model cards: what is known about a version, as Markdown with Hugging Face metadata. Pure.

Every sentence is a fact that the registry holds; what nobody measured or said is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.registry.domain import (
    Adapter,
    ModelType,
    ModelVersion,
    SpanMetrics,
    Split,
    SplitEvaluation,
    Trunk,
    VersionState,
)
from services.registry.yaml_text import to_yaml

FEW = 30
"""Below so many annotated examples a label's figures are called uncertain."""

_TASKS = {
    ModelType.NER: ("token-classification", "Token Classification"),
    ModelType.CLASSIFICATION: ("text-classification", "Text Classification"),
    ModelType.ASSERTION: ("text-classification", "Text Classification"),
}
_DOES = {
    ModelType.NER: "Finds spans of text with the labels {labels}. Spans of different labels may "
    "overlap.",
    ModelType.CLASSIFICATION: "Chooses values of the control {labels} for a text.",
    ModelType.ASSERTION: "Tells the assertion status of spans that are given or were found.",
}
_COUNTED = {
    ModelType.NER: "spans with exactly the same start, end and label",
    ModelType.CLASSIFICATION: "texts with the same value",
    ModelType.ASSERTION: "spans with the same status",
}
# The trunk that is shipped, and what it is called on the hub.
_EMBEDDED = {"embedded:all-MiniLM-L6-v2": "sentence-transformers/all-MiniLM-L6-v2"}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_ORDER = (Split.TEST, Split.DEV, Split.TRAIN)


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a card tells of.

    Attributes:
        version: The version.
        adapters: Those that are registered, by digest.
        trunk: What they read; None when it is not kept any more.
        serving: Where the version is in use, in words.
    """

    version: ModelVersion
    adapters: Mapping[str, Adapter]
    trunk: Trunk | None
    serving: Sequence[str] = ()


def render(facts: CardFacts) -> str:
    """Return the card of a version."""
    lines = ["---", *to_yaml(front_matter(facts)), "---", "", f"# {_text(facts.version.id)}", ""]
    for title, body in (
        ("", _summary(facts)),
        ("Intended use", _use(facts)),
        ("Quality", _quality(facts.version)),
        ("Data", _data(facts.version)),
        ("Training", _training(facts.version)),
        ("Limits", _limits(facts)),
    ):
        found = list(body)
        if found:
            lines += [*([f"## {title}", ""] if title else []), *found, ""]
    return "\n".join(lines).rstrip() + "\n"


def front_matter(facts: CardFacts) -> dict[str, object]:
    """Return the metadata of a card, as the Hugging Face Hub names them."""
    version = facts.version
    task, task_name = _TASKS[version.model_type]
    found: dict[str, object] = {
        "library_name": "spanloop",
        "pipeline_tag": task,
        "tags": ["spanloop", version.model_type.value, "onnx"],
    }
    if base := _base_model(facts.trunk):
        found["base_model"] = base
    lineage = version.lineage
    if lineage.snapshot:
        found["datasets"] = [lineage.snapshot]
    if version.evaluation:
        found["metrics"] = ["precision", "recall", "f1"]
        found["model-index"] = [
            {
                "name": version.id,
                "results": [
                    {
                        "task": {"type": task, "name": task_name},
                        "dataset": {
                            "name": lineage.snapshot or "unknown snapshot",
                            "type": "spanloop-snapshot",
                            "split": entry.split.value,
                            **(
                                {"revision": lineage.snapshot_content_hash}
                                if lineage.snapshot_content_hash
                                else {}
                            ),
                        },
                        "metrics": list(_metrics(entry)),
                    }
                    for entry in _ordered(version)
                ],
            }
        ]
    return found


def _metrics(entry: SplitEvaluation) -> Iterator[dict[str, object]]:
    groups = [("micro", entry.micro), ("macro", entry.macro), *sorted(entry.labels.items())]
    for name, metrics in groups:
        for kind in ("precision", "recall", "f1"):
            value = round(getattr(metrics, kind), 6)
            yield {"type": kind, "name": f"{kind} ({name})", "value": value}


def _summary(facts: CardFacts) -> Iterator[str]:
    version, trunk = facts.version, facts.trunk
    rows = [
        ("Version", version.name),
        ("State", version.state.name),
        ("Registered", _time(version.create_time)),
        (
            "Labels" if version.model_type is ModelType.NER else "Adapters",
            ", ".join(sorted(version.adapters)),
        ),
        ("Trunk", f"{trunk.source}, {trunk.precision}, {trunk.hidden_size} wide" if trunk else ""),
        ("Trunk digest", version.trunk_digest),
        ("In use", "; ".join(facts.serving)),
    ]
    yield from _table(("", ""), [row for row in rows if row[1]])


def _use(facts: CardFacts) -> Iterator[str]:
    version = facts.version
    yield _DOES[version.model_type].format(
        labels=", ".join(f"`{_code(label)}`" for label in sorted(version.adapters))
    )
    for digest in sorted(version.adapters.values()):
        adapter = facts.adapters.get(digest)
        if adapter is not None and adapter.model_type is not ModelType.NER:
            classes = json.loads(adapter.manifest).get("classes", [])
            yield f"It tells apart: {', '.join(f'`{_code(one)}`' for one in classes)}."


def _quality(version: ModelVersion) -> Iterator[str]:
    entries = _ordered(version)
    if not entries:
        return
    yield f"Counted are {_COUNTED[version.model_type]}."
    for entry in entries:
        yield ""
        yield f"### On {entry.split} ({entry.texts} texts)"
        yield ""
        rows = [(label, *_figures(found)) for label, found in sorted(entry.labels.items())]
        rows += [
            ("micro average", *_figures(entry.micro)),
            ("macro average", *_figures(entry.macro)),
        ]
        yield from _table(("", "precision", "recall", "F1", "support"), rows)


def _data(version: ModelVersion) -> Iterator[str]:
    lineage = version.lineage
    rows = [
        ("Snapshot", lineage.snapshot),
        ("Content hash", lineage.snapshot_content_hash),
        ("Training job", lineage.training_job),
        ("Made from", ", ".join(lineage.base_model_versions)),
    ]
    known = [row for row in rows if row[1]]
    if known:
        yield from _table(("", ""), known)


def _training(version: ModelVersion) -> Iterator[str]:
    if version.lineage.code_version:
        yield f"Trained by Spanloop {_text(version.lineage.code_version)}."
        yield ""
    if version.lineage.parameters:
        yield "```json"
        try:
            parameters = json.loads(version.lineage.parameters)
        except ValueError:
            yield version.lineage.parameters.replace("```", "` ` `")
        else:
            yield json.dumps(parameters, indent=2, sort_keys=True)
        yield "```"
    parity = version.parity
    if parity is not None:
        yield ""
        yield (
            f"Where it was trained and where it is served, {parity.texts} texts were predicted: no "
            f"logit differs by more than {parity.max_abs_diff:.3g}, and the spans of "
            f"{parity.span_mismatches} texts differ."
        )


def _limits(facts: CardFacts) -> Iterator[str]:
    version = facts.version
    if version.state is not VersionState.READY:
        why = f" {version.failure_message}" if version.failure_message else ""
        yield f"- It is {version.state.name}: it cannot be deployed.{_text(why)}"
    if version.purge_time is not None:
        yield f"- Its artifacts were given up at {_time(version.purge_time)}: nothing can serve it."
    splits = {entry.split: entry for entry in version.evaluation}
    if not splits:
        yield "- Its quality was not measured."
    elif Split.TEST not in splits:
        yield "- It was not measured on texts that were held out: dev also chose its weights."
    held_out = splits.get(Split.TEST) or splits.get(Split.DEV)
    if held_out is not None:
        rare = {label: m.support for label, m in held_out.labels.items() if m.support < FEW}
        if rare:
            told = ", ".join(f"`{_code(label)}` ({count})" for label, count in sorted(rare.items()))
            yield (
                f"- Fewer than {FEW} annotated examples on {held_out.split}, so that the figures "
                f"are uncertain: {told}."
            )
        if version.model_type is ModelType.NER:
            missing = sorted(set(version.adapters) - set(held_out.labels))
            if missing:
                told = ", ".join(f"`{_code(label)}`" for label in missing)
                yield f"- Not measured on {held_out.split}: {told}."


def _base_model(trunk: Trunk | None) -> str:
    """Return the hub's name of the trunk; empty when it is not from there."""
    if trunk is None:
        return ""
    name = _EMBEDDED.get(trunk.source, trunk.source)
    return name if _HUB_NAME.fullmatch(name) else ""


def _ordered(version: ModelVersion) -> list[SplitEvaluation]:
    return sorted(version.evaluation, key=lambda entry: _ORDER.index(entry.split))


def _figures(metrics: SpanMetrics) -> tuple[str, str, str, str]:
    shares = (metrics.precision, metrics.recall, metrics.f1)
    return (*(f"{share:.4f}" for share in shares), str(metrics.support))  # type: ignore[return-value]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(_text(cell) for cell in row) + " |"


def _time(micros: int) -> str:
    return datetime.fromtimestamp(micros // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def _text(value: str) -> str:
    """Return text in which nothing is markup: labels are what users made up."""
    return re.sub(r"([\\`*\[\]<>|#])", r"\\\1", value)


def _code(value: str) -> str:
    """Return text for between backticks."""
    return value.replace("`", "'").replace("|", "¦")
