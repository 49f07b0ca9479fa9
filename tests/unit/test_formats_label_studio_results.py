"""What results, annotations and tasks of Label Studio mean, and how changes are written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.annotation.content import Choices, Content, Direction, Page, Region, Relation, Span
from services.annotation.domain import CompletionState
from services.annotation.formats import generative_ai_lab
from services.annotation.formats.label_studio import read, writer
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Refused,
    WriteOptions,
)
from services.annotation.labeling.parse import parse
from services.common.errors import Reason
from tests.support import format_items as make
from tests.support.formats import tasks_of

TEXT = "Bob lives in Rome"


def label(start: int, end: int, *labels: str, **fields: Any) -> dict[str, Any]:
    """A result that labels text."""
    value = {"start": start, "end": end, "labels": list(labels)} | fields.pop("value", {})
    head = {"from_name": "ner", "to_name": "text", "type": "labels"}
    return head | fields | {"value": value}


def task(*results: dict[str, Any], text: str = TEXT, **fields: Any) -> dict[str, Any]:
    """A task with one annotation."""
    annotation = {"result": list(results)} | fields.pop("annotation", {})
    return {"data": {"text": text}, "annotations": [annotation]} | fields


def read_one(body: dict[str, Any], options: ReadOptions | None = None) -> ParsedTask:
    """The task of a file of one."""
    (found,) = make.tasks_of(read, json.dumps([body]), options)
    return found


def write_one(parsed: ParsedTask, options: WriteOptions | None = None) -> dict[str, Any]:
    """The task as an export has it."""
    out = writer(options or WriteOptions())
    (found,) = json.loads(out.begin() + out.add(tasks_of([parsed])[0]) + out.end())
    body: dict[str, Any] = found
    return body


def content_of(parsed: ParsedTask) -> Content:
    """What its only annotation says."""
    (one,) = parsed.completions
    return one.content


def changed(parsed: ParsedTask, **fields: Any) -> ParsedTask:
    """The task after somebody has changed its only annotation."""
    (one,) = parsed.completions
    return replace(parsed, completions=(replace(one, content=replace(one.content, **fields)),))


def test_several_labels_of_a_result_are_spans_that_stay_together() -> None:
    parsed = read_one(task(label(0, 3, "PER", "SUBJ", id="a", meta={"text": ["sure"]})))
    spans = content_of(parsed).spans
    assert [(one.label, one.id) for one in spans] == [("PER", "a"), ("SUBJ", "s1")]
    (result,) = write_one(parsed)["annotations"][0]["result"]
    assert result["value"] == {"start": 0, "end": 3, "text": "Bob", "labels": ["PER", "SUBJ"]}
    assert (result["id"], result["meta"]) == ("a", {"text": ["sure"]})


def test_a_label_that_was_taken_away_or_moved_is_gone_from_its_result() -> None:
    parsed = read_one(task(label(0, 3, "PER", "SUBJ", id="a"), label(13, 17, "LOC", id="b")))
    first, _, last = content_of(parsed).spans
    moved = replace(last, start=10)
    results = write_one(changed(parsed, spans=(first, moved)))["annotations"][0]["result"]
    assert [one["value"]["labels"] for one in results] == [["PER"], ["LOC"]]
    assert (results[1]["value"]["start"], results[1]["value"]["text"]) == (10, "in Rome")


def test_the_same_label_and_extent_twice_is_one_span_with_a_note() -> None:
    parsed = read_one(task(label(0, 3, "PER", id="a"), label(0, 3, "PER", id="b")))
    assert len(content_of(parsed).spans) == 1
    assert "merged" in parsed.notes[0]
    results = write_one(parsed)["annotations"][0]["result"]
    assert [one["id"] for one in results] == ["a", "b"]


def test_choices_and_texts_of_a_span_are_its_attributes() -> None:
    about = {"to_name": "text", "id": "a", "value": {"start": 0, "end": 3}}
    mood = about | {"from_name": "mood", "type": "choices"}
    mood["value"] = {"start": 0, "end": 3, "text": "Bob", "choices": ["good", "bad"]}
    note = about | {"from_name": "note", "type": "textarea"}
    note["value"] = {"start": 0, "end": 3, "text": ["first name"]}
    parsed = read_one(task(label(0, 3, "PER", id="a"), mood, note))
    (span,) = content_of(parsed).spans
    assert span.attributes == (("mood", '["good", "bad"]'), ("note", "first name"))
    assert not content_of(parsed).choices
    assert write_one(parsed)["annotations"][0]["result"][1:] == [mood, note]


def test_relations_point_where_the_file_says() -> None:
    ends = [label(0, 3, "PER", id="a"), label(13, 17, "LOC", id="b")]
    relations = [
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": way, "labels": ["in"]}
        for way in ("right", "left", "bi")
    ]
    lost = {"type": "relation", "from_id": "a", "to_id": "gone", "direction": "right"}
    parsed = read_one(task(*relations, *ends, lost))
    found = content_of(parsed).relations
    assert [one.direction for one in found] == [Direction.RIGHT, Direction.LEFT, Direction.BOTH]
    assert found[0] == Relation(source="a", target="b", labels=("in",), id="rel1")
    assert [note.partition(":")[0] for note in parsed.notes] == ["[0].annotations[0].result[5]"]
    results = write_one(parsed)["annotations"][0]["result"]
    assert [*results[:3], results[5]] == [*relations, lost]


def test_three_results_with_one_id_are_one_region() -> None:
    box = {"x": 1, "y": 2, "width": 30, "height": 4.5, "rotation": 0}
    about = {"id": "r", "to_name": "image", "original_width": 100, "original_height": 200}
    results: list[dict[str, Any]] = [
        about | {"from_name": "bbox", "type": "rectangle", "value": box},
        about | {"from_name": "label", "type": "labels", "value": box | {"labels": ["NAME"]}},
        about | {"from_name": "ocr", "type": "textarea", "value": box | {"text": ["Bob", "B."]}},
    ]
    body = {"data": {"image": "/a.png"}, "annotations": [{"result": results}]}
    parsed = read_one(body)
    assert parsed.pages == (Page(image="/a.png", width=100, height=200),)
    region = Region(
        x=1.0, y=2.0, width=30.0, height=4.5, labels=("NAME",), text="Bob\nB.", id="r"
    )  # fmt: skip
    assert content_of(parsed).regions == (region,)
    assert write_one(parsed)["annotations"][0]["result"] == results
    wider = write_one(changed(parsed, regions=(replace(region, width=40.0),)))
    assert [one["value"]["width"] for one in wider["annotations"][0]["result"]] == [40, 40, 40]


def test_hypertext_is_read_where_its_offsets_are_exact() -> None:
    paths = {"start": "/div[1]/text()[1]", "end": "/div[1]/text()[1]"}
    inner = {"startOffset": 0, "endOffset": 3}
    known = paths | inner | {"globalOffsets": {"start": 3, "end": 6}, "text": "Bob"}
    results = [
        {"id": name, "from_name": "ner", "to_name": "text", "type": "hypertextlabels", "value": v}
        for name, v in (
            ("a", known | {"hypertextlabels": ["PER"]}),
            ("b", known | {"text": "Tom", "hypertextlabels": ["PER"]}),
            ("c", paths | inner | {"text": "Bob", "hypertextlabels": ["PER"]}),
        )
    ]
    parsed = read_one(task(*results, text="<p>Bob</p>"))
    assert [(one.start, one.end, one.id) for one in content_of(parsed).spans] == [(3, 6, "a")]
    assert write_one(parsed)["annotations"][0]["result"] == results


CONFIG = parse(
    '<View><Text name="t" value="$body"/><Labels name="who" toName="t">'
    '<Label value="Person" alias="PER"/><Label value="absent" assertion="true"/></Labels>'
    '<Choices name="mood" toName="t"><Choice value="good"/></Choices></View>'
)[0]


def test_the_config_names_text_controls_and_assertions() -> None:
    about = {"from_name": "who", "to_name": "t"}
    body = task(label(0, 3, "PER", **about), label(0, 3, "absent", **about))
    body["data"] = {"text": "another", "body": TEXT}
    parsed = read_one(body, ReadOptions(config=CONFIG))
    assert (parsed.text, dict(parsed.metadata)) == (TEXT, {"text": "another"})
    (span,) = content_of(parsed).spans
    assert (span.label, span.assertion) == ("PER", "absent")
    assert write_one(parsed, WriteOptions(config=CONFIG))["data"] == body["data"]
    content = Content(
        spans=(replace(span, id="s1"),), choices=(Choices(name="mood", values=("good",)),)
    )
    new = write_one(make.plain(TEXT, content), WriteOptions(config=CONFIG))
    assert new["data"] == {"body": TEXT}
    heads = [(one["from_name"], one["to_name"]) for one in new["annotations"][0]["result"]]
    assert heads == [("who", "t"), ("who", "t"), ("mood", "t")]


def test_drafts_skipped_ones_and_reviews() -> None:
    skipped = {"id": 1, "was_cancelled": True, "result": [label(0, 3, "X")]}
    good = {
        "id": 2,
        "completed_by": {"id": 4, "email": "ann@example.com"},
        "ground_truth": True,
        "created_at": "2024-05-01T12:00:00Z",
        "reviews": [
            {"accepted": False, "created_at": "2024-05-01T12:00:00Z"},
            {
                "accepted": True,
                "created_at": "2024-05-02T12:00:00Z",
                "created_by": {"email": "r@example.com"},
                "comment": "fine",
            },
        ],
        "result": [],
    }
    draft = {"id": 3, "user": "dan@example.com", "result": [label(0, 3, "PER")]}
    body = {"data": {"text": TEXT}, "annotations": [skipped, good], "drafts": [draft]}
    parsed = read_one(body)
    first, second = parsed.completions
    assert (first.state, first.author) == (CompletionState.ACCEPTED, "ann@example.com")
    assert (first.reviewer, first.comment) == ("r@example.com", "fine")
    assert (first.ground_truth, first.submitted) == (True, 1_714_564_800_000_000)
    assert (second.state, second.author) == (CompletionState.DRAFT, "dan@example.com")
    assert second.submitted is None
    written = write_one(parsed)
    assert written["annotations"][0] == skipped
    assert good.items() <= written["annotations"][1].items()
    assert [one["user"] for one in written["drafts"]] == ["dan@example.com"]
    again = replace(first, state=CompletionState.REJECTED, reviewer="x", comment="no")
    (review,) = write_one(replace(parsed, completions=(again,)))["annotations"][1]["reviews"]
    assert (review["accepted"], review["created_by"], review["comment"]) == (
        False, {"email": "x"}, "no",
    )  # fmt: skip


def test_predictions_and_what_was_copied_from_them() -> None:
    body = task(annotation={"parent_prediction": 8}) | {
        "predictions": [
            {"id": 7, "model_version": "m", "score": 0.5, "result": [label(0, 3, "PER")]},
            {"id": 8, "model_version": "m", "result": [label(13, 17, "LOC", score=0.25)]},
        ]
    }
    parsed = read_one(body)
    assert [one.model_version for one in parsed.predictions] == ["m", "m#2"]
    assert [one.spans[0].score for one in parsed.predictions] == [0.5, 0.25]
    assert parsed.completions[0].prediction == 1
    written = write_one(parsed)
    assert written["annotations"][0]["parent_prediction"] == 8
    assert [one["model_version"] for one in written["predictions"]] == ["m", "m"]
    assert [one.get("score") for one in written["predictions"]] == [0.5, None]


def test_generative_ai_lab_without_submission_is_a_draft() -> None:
    completion = {"created_username": "ann", "created_ago": "4 days ago", "result": []}
    body = {
        "data": {"text": TEXT},
        "completions": [completion, completion | {"honeypot": True}],
    }
    (parsed,) = make.tasks_of(generative_ai_lab.read, json.dumps([body]))
    states = [(one.state, one.ground_truth, one.created) for one in parsed.completions]
    assert states == [
        (CompletionState.DRAFT, False, None),
        (CompletionState.SUBMITTED, True, None),
    ]


@pytest.mark.parametrize(
    ("said", "found"), [((3, 6), (2, 5)), ((2, 5), (2, 5))], ids=["utf-16", "code points"]
)
def test_the_unit_of_offsets_is_the_one_that_fits(
    said: tuple[int, int], found: tuple[int, int]
) -> None:
    parsed = read_one(task(label(*said, "PER", value={"text": "Bob"}), text="\U0001f600 Bob"))
    assert [(one.start, one.end) for one in content_of(parsed).spans] == [found]


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        (task(label(0, 99, "X")), Reason.OFFSET_INVALID, "[0].annotations[0].result[0].value.end"),
        (task(label(3, 3, "X")), Reason.OFFSET_INVALID, "[0].annotations[0].result[0].value.end"),
        (
            task(label(-1, 3, "X")),
            Reason.OFFSET_INVALID,
            "[0].annotations[0].result[0].value.start",
        ),
        (
            task(label(0, 3, "X"), label(4, 9, "X", value={"text": "dwells"})),
            Reason.OFFSET_INVALID,
            "[0].annotations[0].result[1].value.text",
        ),
        (
            task(label(0, 2, "X", value={"text": "Bob"}), text="\U0001f600 Bob"),
            Reason.OFFSET_INVALID,
            "[0].annotations[0].result[0].value.text",
        ),
        (
            task(label(0, 3, "")),
            Reason.FIELD_INVALID,
            "[0].annotations[0].result[0].value.labels[0]",
        ),
        (task(text=""), Reason.FIELD_INVALID, "[0].data"),
        (task(annotation={"result": "x"}), Reason.FIELD_INVALID, "[0].annotations[0].result"),
        (task(annotation={"lead_time": -1}), Reason.FIELD_INVALID, "[0].annotations[0].lead_time"),
        ({"data": {"text": TEXT}, "annotations": [7]}, Reason.FIELD_INVALID, "[0].annotations[0]"),
        ({"data": "x"}, Reason.FIELD_INVALID, "[0].data"),
    ],
)
def test_refusals_name_the_place_and_the_rest_is_read(
    body: dict[str, Any], reason: Reason, field: str
) -> None:
    refused, kept = make.records(read, json.dumps([body, task(label(0, 3, "PER"))]))
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.field) == (reason, field)
    assert isinstance(kept, ParsedTask)
    assert kept.ordinal == 2


def test_tasks_that_are_only_data_and_one_task_alone() -> None:
    (bare,) = make.tasks_of(read, json.dumps([{"text": TEXT, "n": 3}]))
    assert (bare.text, dict(bare.metadata)) == (TEXT, {"n": "3"})
    assert write_one(bare)["data"] == {"text": TEXT, "n": 3}
    (alone,) = make.tasks_of(read, json.dumps(task(label(0, 3, "PER")), indent=1))
    assert alone.labels == {"PER": (1, "annotations[0].result[0].value")}


@pytest.mark.parametrize(
    "extra",
    [
        {"results": 3, "heads": "x", "annotation": []},
        {"results": [4, {"span": 5}, {"span": ["s1"], "h": 9}, {"box": [1]}, {"attr": {}}]},
        {"results": [{"relation": None}, {"choices": ["a"]}, {"raw": "no"}], "heads": [1]},
        {"data": 1, "values": [2], "text_field": 3, "image_field": [], "skipped": [{"at": "x"}]},
    ],
)
def test_an_extra_that_somebody_made_up_does_no_harm(extra: dict[str, Any]) -> None:
    held = json.dumps({"label_studio": extra})
    span = Span(start=0, end=3, label="PER", id="s1")
    content = Content(spans=(span,), extra=held)
    given = ParsedTask(
        line=1, ordinal=1, text=TEXT, completions=(ParsedCompletion(content=content),), extra=held
    )
    parsed = read_one(write_one(given))
    assert (parsed.text, content_of(parsed).spans) == (TEXT, (span,))
