"""Label Studio's JSON-MIN: flat objects, one per annotation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from services.annotation.content import Choices, Content, Page, Region, Relation, Span
from services.annotation.domain import CompletionState
from services.annotation.formats.label_studio_min import read, writer
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    WriteOptions,
)
from services.annotation.labeling.parse import parse
from services.common.errors import Reason
from services.common.offsets import OffsetEncoding
from tests.support import format_items as make
from tests.support.formats import tasks_of

_TIMES = {"created_at": "2024-01-30T02:40:43.893565Z", "updated_at": "2024-01-30T02:41:00.5Z"}


def _bytes(*bodies: dict[str, Any]) -> bytes:
    return json.dumps(bodies).encode()


def _record(**fields: Any) -> dict[str, Any]:
    """An object as Label Studio orders it: data, id, controls, who and when."""
    said = fields.pop("said", {})
    data = {"text": "Bob lives in Rome"} | fields.pop("data", {})
    about = {"annotator": 1, "annotation_id": 9, **_TIMES, "lead_time": 8.65} | fields
    return {**data, "id": about.pop("id", 5), **said, **about}


def _written(
    tasks: list[ParsedTask], options: WriteOptions | None = None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    out = writer(options or WriteOptions())
    data = out.begin() + b"".join(out.add(one) for one in tasks_of(tasks)) + out.end()
    return json.loads(data), dict(out.omitted)


_LABEL = [{"start": 0, "end": 3, "text": "Bob", "labels": ["PER"]}]


def test_controls_are_told_from_data_by_their_place() -> None:
    body = _record(
        data={"lang": "en", "tokens": [{"labels": ["no control"]}]},
        said={"ner": _LABEL, "mood": "good", "kinds": {"choices": ["a", "b"]}},
    )
    (one,) = make.tasks_of(read, _bytes(body))
    assert one.text == "Bob lives in Rome"
    assert (one.external_id, dict(one.metadata)) == ("5", {"lang": "en"})
    (said,) = one.completions
    assert [(s.start, s.end, s.label) for s in said.content.spans] == [(0, 3, "PER")]
    assert said.content.choices == (
        Choices(name="kinds", values=("a", "b")),
        Choices(name="mood", values=("good",)),
    )
    assert (said.author, said.lead_time, said.state) == ("1", 8.65, CompletionState.SUBMITTED)
    assert said.created == 1_706_582_443_893_565
    assert said.submitted == said.updated == 1_706_582_460_500_000
    assert one.labels == {"PER": (1, "[0].ner[0]")}
    assert _written([one]) == ([body], {})


def test_in_another_order_shape_and_config_tell_controls() -> None:
    body = dict(sorted(_record(said={"ner": _LABEL, "mood": "good"}).items()))
    (one,) = make.tasks_of(read, _bytes(body))
    assert dict(one.metadata) == {"mood": "good"}
    assert not one.completions[0].content.choices
    config, _ = parse(
        '<View><Text name="t" value="$text"/><Choices name="mood" toName="t">'
        '<Choice value="good"/></Choices></View>'
    )
    (one,) = make.tasks_of(read, _bytes(body), ReadOptions(config=config))
    assert one.completions[0].content.choices == (Choices(name="mood", values=("good",)),)
    assert not one.metadata


def test_objects_of_one_task_become_its_annotations() -> None:
    bodies = [
        _record(said={"mood": "good"}),
        _record(said={"mood": "bad"}, annotator="a@b.example", annotation_id=10),
        _record(id=6, said={"mood": "bad"}),
        {"text": "open", "id": 7, "annotator": None, "annotation_id": None},
    ]
    found = make.tasks_of(read, _bytes(*bodies))
    assert [(one.external_id, len(one.completions)) for one in found] == [
        ("5", 2), ("6", 1), ("7", 0),
    ]  # fmt: skip
    assert [one.ordinal for one in found] == [1, 2, 3]
    assert [one.author for one in found[0].completions] == ["1", "a@b.example"]
    assert _written(found)[0] == bodies


def test_annotations_of_different_data_stay_apart() -> None:
    bodies = [_record(said={"mood": "x"}), _record(data={"text": "other"}, said={"mood": "x"})]
    found = make.tasks_of(read, _bytes(*bodies))
    assert [one.text for one in found] == ["Bob lives in Rome", "other"]


def test_regions_of_one_page_and_of_a_repeater() -> None:
    box = {"x": 1, "y": 2.5, "width": 3, "height": 4, "rotation": 0, "rectanglelabels": ["Car"]}
    sized = box | {"original_width": 10, "original_height": 20}
    one_page = {"image": "/a.png", "id": 1, "label": [sized], "annotator": 1, "annotation_id": 2}
    pages = [{"url": f"https://x.example/{at}.png"} for at in range(3)]
    repeated = {"images": pages, "id": 2, "labels_2": [box], "annotator": 1, "annotation_id": 3}
    first, second = make.tasks_of(read, _bytes(one_page, repeated))
    assert first.pages == (Page(image="/a.png", width=10, height=20),)
    assert first.completions[0].content.regions[0].labels == ("Car",)
    assert second.completions[0].content.regions[0].page == 3
    for body, again in zip((one_page, repeated), _written([first, second])[0], strict=True):
        assert again | body == again


def test_a_region_behind_the_first_page_is_written_as_in_a_repeater() -> None:
    region = Region(x=1.0, y=2.5, width=3.0, height=4.0, labels=("Car",), page=2, id="r1")
    task = make.plain(
        "", Content(regions=(region,)), pages=(Page(image="/a.png"), Page(image="/b.png"))
    )
    (body,), omitted = _written([task])
    assert (list(body)[:3], omitted) == (["image", "id", "label_1"], {})
    (again,) = make.tasks_of(read, _bytes(body))
    assert again.completions[0].content.regions == (region,)


def test_what_no_part_of_an_annotation_holds_comes_back_in_an_export() -> None:
    said = {
        "kinds": {"taxonomy": [["Archaea"]]},
        "chat": [{"chatmessage": {"role": "user", "content": "hi"}}],
        "stars": [{"rating": 4}],
        "odd": 7,
        "shape": [{"points": [[1, 2]], "polygonlabels": ["p"]}],
    }
    body = _record(said=said, agreement=50.0)
    (one,) = make.tasks_of(read, _bytes(body))
    assert one.completions[0].content == replace(Content(), extra=one.completions[0].content.extra)
    again = _written([one])[0][0]
    for key in ("chat", "stars", "odd", "shape", "agreement"):
        assert again[key] == body[key]


def test_offsets_in_utf16_units_are_recognised_by_the_words() -> None:
    text = "\U0001f600 Bob"
    span = {"start": 3, "end": 6, "text": "Bob", "labels": ["PER"]}
    (one,) = make.tasks_of(read, _bytes(_record(data={"text": text}, said={"ner": [span]})))
    assert [(s.start, s.end) for s in one.completions[0].content.spans] == [(2, 5)]
    told = ReadOptions(encoding=OffsetEncoding.CODE_POINT)
    bad = make.refused(read, _bytes(_record(data={"text": text}, said={"ner": [span]})), told)
    assert bad.reason is Reason.OFFSET_INVALID


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        (_record(data={"text": ""}), Reason.FIELD_INVALID, "[0]"),
        (
            _record(said={"ner": [_LABEL[0] | {"end": 99}]}),
            Reason.OFFSET_INVALID,
            "[0].ner[0].end",
        ),
        (
            _record(said={"ner": [*_LABEL, _LABEL[0] | {"start": 4, "end": 8}]}),
            Reason.OFFSET_INVALID,
            "[0].ner[1].text",
        ),
        (_record(said={"ner": [_LABEL[0] | {"labels": ["a\nb"]}]}), Reason.FIELD_INVALID, ""),
        (_record(id=[1]), Reason.FIELD_INVALID, "[0].id"),
    ],
)
def test_refusals_name_the_place(body: dict[str, Any], reason: Reason, field: str) -> None:
    refused = make.refused(read, _bytes(body))
    assert (refused.reason, refused.line) == (reason, 1)
    assert refused.field.startswith(field or "[0].ner[0].labels")


def test_what_the_format_cannot_hold_is_counted() -> None:
    spans = (
        Span(start=0, end=3, label="PER", id="s1", assertion="absent", attributes=(("a", "b"),)),
        Span(start=0, end=9, label="X", id="s2", fragments=((0, 3), (4, 9))),
    )
    content = Content(
        spans=spans, relations=(Relation(source="s1", target="s2"),), extra='{"brat": {"a": 1}}'
    )
    given = ParsedCompletion(
        content=content, author="a", state=CompletionState.ACCEPTED, ground_truth=True
    )
    task = replace(
        make.plain("Bob lives"),
        completions=(
            given,
            ParsedCompletion(content=Content(), state=CompletionState.DRAFT),
            ParsedCompletion(content=Content(), state=CompletionState.REJECTED),
        ),
        tags=("t",),
        group="g",
    )
    (body,), omitted = _written([task])
    assert body["label"] == [{"start": 0, "end": 3, "text": "Bob", "labels": ["PER"]}]
    assert omitted == {
        "assertions": 1,
        "attributes": 1,
        "discontinuous spans": 1,
        "drafts": 1,
        "extra of other formats": 1,
        "ground truth stars": 1,
        "groups": 1,
        "rejected completions": 1,
        "relations": 1,
        "reviews": 1,
        "tags": 1,
    }


def test_a_control_never_takes_the_place_of_the_text() -> None:
    content = Content(
        choices=(Choices(name="id", values=("x",)), Choices(name="text", values=("y",)))
    )
    (body,), omitted = _written([make.plain("Bob", content)])
    assert (body["text"], body["id"], omitted) == ("Bob", None, {"controls named like a field": 2})


_NAMES = make.NAMES.filter(lambda one: one not in ("label", "id") and not one.isdigit())


@st.composite
def _tasks(draw: st.DrawFn, *, whole: bool = False) -> ParsedTask:
    """Tasks as imports store them; `whole`: with spans between grapheme clusters only."""
    text = draw(make.TEXTS)
    edges = [one.end() for one in regex.finditer(r"\X", text)]
    made = []
    for _ in range(draw(st.integers(0, 3))):
        created = draw(make.TIMES)
        names = draw(
            st.dictionaries(_NAMES, st.lists(make.NAMES, min_size=1, unique=True), max_size=2)
        )
        content = Content(
            spans=draw(make.spans(text, cuts=[0, *edges] if whole else None)),
            choices=tuple(Choices(name=key, values=tuple(names[key])) for key in sorted(names)),
        )
        made.append(
            ParsedCompletion(
                content=content,
                author=draw(make.NAMES),
                created=created,
                updated=created,
                submitted=created,
                lead_time=draw(st.sampled_from((0.0, 1.5, 30.0))),
            )
        )
    taken = {one.name for given in made for one in given.content.choices}
    metadata = draw(st.dictionaries(_NAMES, make.TEXTS, max_size=2))
    return replace(
        make.plain(text),
        completions=tuple(made),
        external_id=draw(st.integers(0, 10**6).map(str)),
        metadata={key: one for key, one in metadata.items() if key not in taken},
    )


def _bare(task: ParsedTask) -> ParsedTask:
    """A task without what only an import of this format gives it."""
    return replace(
        task,
        line=1,
        ordinal=1,
        extra="",
        labels={},
        completions=tuple(
            replace(one, content=replace(one.content, extra="")) for one in task.completions
        ),
    )


@given(st.lists(_tasks(), max_size=3, unique_by=lambda one: one.external_id))
def test_round_trip(tasks: list[ParsedTask]) -> None:
    bodies, omitted = _written(tasks)
    assert omitted == {}
    found = make.tasks_of(read, _bytes(*bodies))
    assert [_bare(one) for one in found] == [_bare(one) for one in tasks]
    again, _ = _written(found)
    assert again == bodies


@given(_tasks(whole=True))
def test_round_trip_in_utf16_units(task: ParsedTask) -> None:
    bodies, _ = _written([task], WriteOptions(encoding=OffsetEncoding.UTF16))
    options = ReadOptions(encoding=OffsetEncoding.UTF16)
    assert [_bare(one) for one in make.tasks_of(read, _bytes(*bodies), options)] == [_bare(task)]
