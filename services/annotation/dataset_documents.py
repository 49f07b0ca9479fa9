"""How snapshots lie in documents."""

from __future__ import annotations

from typing import Any

from services.annotation.content_documents import content_fields, to_content
from services.annotation.dataset import ByTags, Example, Given, Ratios, Snapshot, SplitPolicy
from services.annotation.documents import pairs_of
from services.annotation.domain import Split
from services.annotation.selection.documents import selection_document, to_selection
from services.common.store.port import Document


def snapshot_document(snapshot: Snapshot) -> Document:
    """Return the resource part of a snapshot's document."""
    return {
        "project": snapshot.project,
        "snapshot": snapshot.id,
        "content_hash": snapshot.content_hash,
        "policy": _policy_document(snapshot.policy),
        "labels": list(snapshot.labels),
        "example_counts": pairs_of(snapshot.example_counts),
        "span_counts": pairs_of(snapshot.span_counts),
        "choice_counts": pairs_of(snapshot.choice_counts),
        "assertion_counts": pairs_of(snapshot.assertion_counts),
        "positives": [[label, list(values)] for label, values in snapshot.positives.items()],
        "selection": None if snapshot.selection is None else selection_document(snapshot.selection),
        "description": snapshot.description,
        "chunks": snapshot.chunks,
        "version": 1,
        "created": snapshot.created,
        "updated": snapshot.created,
    }


def to_snapshot(body: Document) -> Snapshot:
    """Read a snapshot."""
    return Snapshot(
        project=body["project"],
        id=body["snapshot"],
        content_hash=body["content_hash"],
        policy=_to_policy(body["policy"]),
        labels=tuple(body["labels"]),
        example_counts=dict(body["example_counts"]),
        span_counts=dict(body["span_counts"]),
        choice_counts=dict(body.get("choice_counts", ())),
        assertion_counts=dict(body.get("assertion_counts", ())),
        positives={label: tuple(values) for label, values in body.get("positives", ())},
        chunks=body["chunks"],
        created=body["created"],
        selection=to_selection(body["selection"]) if body.get("selection") else None,
        description=body.get("description", ""),
    )


def example_list(example: Example) -> list[Any]:
    """Return the stored form of an example within a chunk."""
    return [
        example.task,
        example.completion,
        example.text,
        content_fields(example.content),
        example.split.value,
        example.group,
    ]


def to_example(stored: list[Any]) -> Example:
    """Read an example of a chunk."""
    task, completion, text, content, split, *group = stored
    return Example(
        task=task,
        completion=completion,
        text=text,
        # Snapshots taken before there was more than spans hold the list of them.
        content=to_content({"spans": content} if isinstance(content, list) else content),
        split=Split(split),
        group=group[0] if group else "",
    )


def _policy_document(policy: SplitPolicy) -> Document:
    match policy:
        case Ratios():
            return {
                "kind": "ratios",
                "train": policy.train,
                "dev": policy.dev,
                "test": policy.test,
                "seed": policy.seed,
                "stratify": policy.stratify,
            }
        case ByTags():
            return {
                "kind": "by_tags",
                "train": list(policy.train),
                "dev": list(policy.dev),
                "test": list(policy.test),
                "seed": policy.seed,
            }
        case Given():
            return {"kind": "given", "seed": policy.seed}


def _to_policy(body: Document) -> SplitPolicy:
    if body["kind"] == "given":
        return Given(seed=body["seed"])
    if body["kind"] == "by_tags":
        return ByTags(
            train=tuple(body["train"]),
            dev=tuple(body["dev"]),
            test=tuple(body["test"]),
            seed=body["seed"],
        )
    return Ratios(
        train=float(body["train"]),
        dev=float(body["dev"]),
        test=float(body["test"]),
        seed=body["seed"],
        stratify=body.get("stratify", False),
    )
