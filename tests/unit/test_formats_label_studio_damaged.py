"""Files with anything in them: refused or read, never a crash, and what is read is written."""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from services.annotation.formats import generative_ai_lab, label_studio, label_studio_min
from services.annotation.formats.records import ParsedTask, ReadOptions, Refused, WriteOptions
from services.common.errors import Reason
from tests.support.formats import tasks_of

TASK: dict[str, Any] = {
    "id": 5,
    "data": {
        "ocr_plain_text": "no fever 👍 in Rome",
        "image": ["/a.png", "/b.png"],
        "ocr_text": [[{"x": 1, "y": 2, "width": 3, "height": 4, "text": "no"}], []],
        "n": 3,
        "deep": {"a": [1]},
    },
    "annotations": [
        {
            "id": 7,
            "completed_by": {"id": 1, "email": "ann@example.com"},
            "created_at": "2024-01-30T02:40:43Z",
            "updated_at": "2024-01-30T02:40:44Z",
            "lead_time": 3,
            "ground_truth": True,
            "was_cancelled": False,
            "reviews": [{"accepted": False, "created_by": 2, "comment": "no"}],
            "parent_prediction": 9,
            "result": [
                {
                    "id": "a",
                    "from_name": "ner",
                    "to_name": "text",
                    "type": "labels",
                    "value": {"start": 3, "end": 8, "text": "fever", "labels": ["X", "Y"]},
                },
                {
                    "id": "a",
                    "from_name": "sure",
                    "to_name": "text",
                    "type": "choices",
                    "value": {"start": 3, "end": 8, "choices": ["high"]},
                },
                {
                    "id": "b",
                    "from_name": "box",
                    "to_name": "image",
                    "type": "rectanglelabels",
                    "original_width": 100,
                    "original_height": 50,
                    "item_index": 1,
                    "value": {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["R"]},
                },
                {
                    "id": "b",
                    "from_name": "written",
                    "to_name": "image",
                    "type": "textarea",
                    "value": {"x": 1, "y": 2, "width": 3, "height": 4, "text": ["Rome"]},
                },
                {"type": "relation", "from_id": "a", "to_id": "b", "labels": ["in"]},
                {"from_name": "mood", "type": "choices", "value": {"choices": ["good", "new"]}},
                {"id": "p", "type": "polygon", "value": {"points": [[1, 2], [3, 4]]}},
            ],
        }
    ],
    "drafts": [{"user": "bob", "result": []}],
    "predictions": [
        {
            "id": 9,
            "model_version": "v1",
            "score": 0.5,
            "result": [
                {
                    "from_name": "ner",
                    "to_name": "text",
                    "type": "labels",
                    "value": {"start": 14, "end": 18, "text": "Rome", "labels": ["X"]},
                }
            ],
        }
    ],
}
LAB = {key: one for key, one in TASK.items() if key not in ("annotations", "drafts")} | {
    "completions": [
        {"created_username": "ann", "submitted_at": "2024-01-30T02:40:43", "copied_from": "x"}
        | {"result": TASK["annotations"][0]["result"]}
    ]
}
FLAT = {
    "text": "no fever 👍 in Rome",
    "image": "/a.png",
    "n": 3,
    "id": 5,
    "ner": [{"start": 3, "end": 8, "text": "fever", "labels": ["X", "Y"]}],
    "box": [{"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["R"]}],
    "mood": {"choices": ["good", "new"]},
    "annotator": 1,
    "annotation_id": 7,
    "created_at": "2024-01-30T02:40:43Z",
    "lead_time": 3,
}
JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    2.5,
    "",
    "x",
    "\0",
    "👍👍",
    " a ",
    [],
    {},
    [1],
    ["a", "a"],
]
EACH = pytest.mark.parametrize(
    ("format", "sample"),
    [(label_studio, TASK), (generative_ai_lab, LAB), (label_studio_min, FLAT)],
    ids=["label_studio", "generative_ai_lab", "label_studio_min"],
)


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in list(pairs):
        yield (*above, key)
        if isinstance(one, dict | list):
            yield from paths(one, (*above, key))


def damaged(value: Any, chance: random.Random) -> Any:
    """Return a value with up to three members left out or replaced, by junk or by each other."""
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        found = list(paths(value))
        if not found:
            break
        *way, last = chance.choice(found)
        holder = value
        for key in way:
            holder = holder[key]
        kind = chance.random()
        if kind < 0.25 and isinstance(holder, dict):
            del holder[last]
        elif kind < 0.4:
            other = value
            for key in chance.choice(found):
                other = other[key]
            holder[last] = copy.deepcopy(other)
        else:
            holder[last] = copy.deepcopy(chance.choice(JUNK))
    return value


def read(format: ModuleType, data: bytes) -> list[ParsedTask | Refused]:
    return list(format.read(io.BytesIO(data), ReadOptions()))


def written(format: ModuleType, tasks: list[ParsedTask]) -> bytes:
    out = format.writer(WriteOptions())
    body = b"".join(out.add(one) for one in tasks_of(tasks))
    return bytes(out.begin() + body + out.end())


def plain(tasks: list[ParsedTask | Refused]) -> list[ParsedTask]:
    """Return tasks without their places, which another file has elsewhere; none is refused."""
    found = [one for one in tasks if isinstance(one, ParsedTask)]
    assert len(found) == len(tasks), tasks
    return [replace(one, line=0, ordinal=0, labels={}, notes=()) for one in found]


@EACH
def test_the_sample_itself_is_read_whole(format: ModuleType, sample: dict[str, Any]) -> None:
    (task,) = plain(read(format, json.dumps([sample]).encode()))
    content = task.completions[0].content
    assert [(one.start, one.end, one.label) for one in content.spans] == [(3, 8, "X"), (3, 8, "Y")]
    assert [one.labels for one in content.regions] == [("R",)]
    assert [one.values for one in content.choices] == [("good", "new")]


@EACH
def test_damaged_files(format: ModuleType, sample: dict[str, Any]) -> None:
    chance = random.Random(7)
    read_all = refused = 0
    for _ in range(600):
        data = json.dumps([damaged(sample, chance), sample]).encode()
        tasks = read(format, data)
        good = [one for one in tasks if isinstance(one, ParsedTask)]
        assert good, data
        read_all += len(good) == len(tasks)
        refused += len(good) < len(tasks)
        second = plain(read(format, written(format, good)))
        third = plain(read(format, written(format, second)))
        assert second == third, data
    assert read_all > 100
    assert refused > 50


@EACH
def test_damaged_extra(format: ModuleType, sample: dict[str, Any]) -> None:
    chance = random.Random(8)

    def any_extra(extra: str) -> str:
        return json.dumps(damaged(json.loads(extra), chance)) if extra else ""

    (task,) = plain(read(format, json.dumps([sample]).encode()))
    for _ in range(400):
        other = replace(
            task,
            extra=any_extra(task.extra),
            completions=tuple(
                replace(one, content=replace(one.content, extra=any_extra(one.content.extra)))
                for one in task.completions
            ),
            predictions=tuple(replace(one, extra=any_extra(one.extra)) for one in task.predictions),
        )
        json.loads(written(format, [other]))


def test_of_texts_of_one_length_the_order_does_not_matter() -> None:
    one = {"data": {"a": "one text", "b": "two text"}}
    two = {"data": {"b": "two text", "a": "one text"}}
    texts = [task.text for task in plain(read(label_studio, json.dumps([one, two]).encode()))]
    assert texts == ["two text", "two text"]


def test_a_word_without_letters_costs_the_words_only() -> None:
    task = copy.deepcopy(LAB)
    task["data"]["ocr_text"][0][0]["text"] = ""
    (found,) = plain(read(generative_ai_lab, json.dumps([task]).encode()))
    assert found.words == ()
    (again,) = json.loads(written(generative_ai_lab, [found]))
    assert again["data"]["ocr_text"] == task["data"]["ocr_text"]


def test_a_skipped_annotation_alone_does_not_make_a_task_its_data() -> None:
    task = {"annotations": [{"was_cancelled": True, "result": []}], "text": "a"}
    (found,) = read(label_studio, json.dumps([task]).encode())
    assert isinstance(found, Refused)
    assert (found.reason, found.field) == (Reason.FIELD_INVALID, "[0].data")
