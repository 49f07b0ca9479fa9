"""Imports and exports that a format cannot say all of, over the real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from tests.support.annotation import AnnotationClient, annotation, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ADA = {"start": 0, "end": 3, "label": "PER"}
HOLD_PREDICTIONS = ("JSONL", "LABEL_STUDIO", "GENERATIVE_AI_LAB")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        yield client


async def omitted(client: AnnotationClient, **fields: object) -> Mapping[str, int]:
    pieces = [one async for one in client.stub.ExportTasks(pb.ExportTasksRequest(**fields))]
    return dict(pieces[-1].omitted)


@pytest.mark.parametrize("format", pb.TaskFormat.keys()[1:])
async def test_predictions_that_a_format_does_not_hold_are_counted(
    client: AnnotationClient, format: str
) -> None:
    parent = await client.project("p", "PER")
    said = {"model_version": "m1", "spans": [{**ADA, "score": 0.5}]}
    lines = [
        {"id": "a", "text": "Ada met Bob", "predictions": [said, {**said, "model_version": "m2"}],
         "spans": [ADA], "completion": {"author": "ann", "prediction": 0}},
        {"id": "b", "text": "Bob is open", "predictions": [said]},
        {"id": "c", "text": "Eve is not meant", "tags": ["apart"], "predictions": [said]},
    ]  # fmt: skip
    report = await client.load(parent, "\n".join(map(json.dumps, lines)).encode())
    assert (report.imported_predictions, report.refused_tasks) == (4, 0)
    holds = format.removeprefix("TASK_FORMAT_") in HOLD_PREDICTIONS
    found = await omitted(client, parent=parent, format=format)
    assert found.get("predictions", 0) == (0 if holds else 4)
    assert found.get("links to predictions", 0) == (0 if holds else 1)
    apart = await omitted(client, parent=parent, format=format, filter={"tags_any": ["apart"]})
    assert apart.get("predictions", 0) == (0 if holds else 1)


async def test_ids_that_a_format_does_not_hold_are_counted(client: AnnotationClient) -> None:
    parent = await client.project("p", "PER")
    await client.load(parent, json.dumps({"id": "a", "text": "Ada", "spans": [ADA]}).encode())
    without = {
        *("CONLL", "GERMEVAL", "SPACY_IOB", "TEXT", "FASTTEXT"),
        *("SPACY_JSON", "SPACY_TUPLES", "SPACY_DOCBIN"),
    }
    for name in pb.TaskFormat.keys()[1:]:
        found = await omitted(client, parent=parent, format=name)
        short = name.removeprefix("TASK_FORMAT_")
        assert found.get("ids of tasks", 0) == int(short in without), name


@pytest.mark.parametrize("name", ["", "x.json", "x.jsonl"])
async def test_what_stands_behind_a_long_text_tells_the_format(
    client: AnnotationClient, name: str
) -> None:
    parent = await client.project("p", "PER")
    text = "Ada " * 200_000
    long = json.dumps({"text": text, "label": [[0, 3, "PER"]]}).encode()
    report = await client.load(parent, long, file_name=name)
    assert report.format == pb.TASK_FORMAT_DOCCANO
    assert (report.imported_tasks, report.imported_spans) == (1, 1)
    own = json.dumps({"text": f"{text}!", "spans": [ADA]}).encode()
    report = await client.load(parent, own, file_name=name)
    assert (report.format, report.imported_spans) == (pb.TASK_FORMAT_JSONL, 1)


async def test_separators(client: AnnotationClient) -> None:
    parent = await client.project("p")
    tilde = b"EU~B-ORG\nis~O\n"
    report = await client.load(parent, tilde, separator="~", create_labels=True)
    assert (report.format, report.imported_spans) == (pb.TASK_FORMAT_CONLL, 1)
    bars = b"EU|B-ORG\nis|O\n\nBonn|B-ORG\n"
    report = await client.load(parent, bars)
    assert (report.format, report.imported_tasks) == (pb.TASK_FORMAT_CONLL, 2)
    with refused(INVALID, Reason.FIELD_INVALID, field="separator"):
        await omitted(client, parent=parent, format="TASK_FORMAT_CONLL", separator="\n")
    with refused(INVALID, Reason.FIELD_INVALID, field="separator"):
        await client.load(parent, bars, format="TASK_FORMAT_CONLL", separator="O")
