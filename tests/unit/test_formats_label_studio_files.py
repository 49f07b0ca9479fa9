"""Real files of Label Studio and Generative AI Lab: what is read, what an export says again."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.annotation.content import Relation
from services.annotation.domain import CompletionState
from services.annotation.formats.records import (
    ParsedTask,
    ReadOptions,
    TaskFormat,
    WriteOptions,
)
from services.annotation.formats.registry import FORMATS
from services.annotation.labeling.parse import parse
from tests.support import format_items as make
from tests.support.formats import tasks_of

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data")) / "formats"
pytestmark = pytest.mark.skipif(
    not (DATA / "label_studio").is_dir(), reason="the shared data are not here"
)
STUDIO, LAB = TaskFormat.LABEL_STUDIO, TaskFormat.GENERATIVE_AI_LAB

# Per task: its id, pages, words; per annotation its author and how many spans, choices, relations
# and regions it has; per prediction its version, spans and choices.
Counts = tuple[str, int, int, list[tuple[str, int, int, int, int]], list[tuple[str, int, int]]]
FILES: dict[str, tuple[TaskFormat, list[Counts]]] = {
    "annotation_lab/alab_demo.excerpt.json": (
        LAB,
        [
            ("2", 0, 0, [("luca.martial", 1, 0, 0, 0), ("hasham", 15, 1, 4, 0)], []),
            ("1", 0, 0, [("hasham", 9, 1, 2, 0)], []),
        ],
    ),
    "annotation_lab/alab_visualner.excerpt.json": (
        LAB,
        [("3", 1, 27, [("youssef_mellah", 0, 0, 0, 2)], [])],
    ),
    "label_studio/ner_annotations_mlbackend.json": (
        STUDIO,
        [("0", 0, 0, [("", 3, 0, 0, 0)], [])],
    ),
    "label_studio/sdk_coco_data.json": (STUDIO, [("175210175", 1, 0, [("", 0, 0, 0, 1)], [])]),
    "label_studio/sdk_csv_test.json": (
        STUDIO,
        [
            ("1", 1, 0, [("hakan@heartex.com", 0, 0, 0, 1)], [("model 0", 0, 0)]),
            ("2", 1, 0, [("hakan@heartex.com", 0, 0, 0, 2)], [("model 0", 0, 0)]),
        ],
    ),
    "label_studio/sdk_csv_test2.json": (
        STUDIO,
        [("4", 0, 0, [("test@heartex.com", 0, 0, 0, 0)], [])],
    ),
    "label_studio/sdk_csv_test_history.json": (
        STUDIO,
        [("6141", 0, 0, [("sergei@heartex.test", 0, 1, 0, 0)], [])],
    ),
    "label_studio/sdk_jsonmin_chat_data.json": (
        STUDIO,
        [("226650350", 0, 0, [("test@example.com", 0, 0, 0, 0)], [])],
    ),
    "label_studio/sdk_jsonmin_data.json": (STUDIO, [("87", 1, 0, [("1", 0, 0, 0, 0)], [])]),
    "label_studio/sdk_jsonmin_data_repeater.json": (
        STUDIO,
        [("86", 3, 0, [("1", 0, 0, 0, 1)], [])],
    ),
    "label_studio/text_with_2_predictions.json": (
        STUDIO,
        [("", 0, 0, [], [("model_version_A", 0, 1), ("model_version_B", 0, 1)])],
    ),
    "label_studio/v0_completions_choices.json": (STUDIO, [("3", 0, 0, [("", 0, 1, 0, 0)], [])]),
}


def _raw(name: str) -> list[dict[str, Any]]:
    found = json.loads((DATA / name).read_bytes())
    return found if isinstance(found, list) else [found]


def _read(name: str, options: ReadOptions | None = None) -> list[ParsedTask]:
    return make.tasks_of(FORMATS[FILES[name][0]].reader, (DATA / name).read_bytes(), options)


def _written(
    of: TaskFormat, tasks: list[ParsedTask], options: WriteOptions | None = None
) -> tuple[bytes, dict[str, int]]:
    factory = FORMATS[of].writer
    assert factory is not None
    out = factory(options or WriteOptions())
    data = out.begin() + b"".join(out.add(one) for one in tasks_of(tasks)) + out.end()
    return data, dict(out.omitted)


def _bare(task: ParsedTask) -> ParsedTask:
    """A task but for where in the file it stood, and times that the file left open."""
    return replace(
        task,
        line=0,
        labels={label: (0, place) for label, (_, place) in task.labels.items()},
        completions=tuple(
            replace(one, created=None, updated=None, submitted=None) for one in task.completions
        ),
        predictions=tuple(replace(one, created=None) for one in task.predictions),
    )


def _missing(old: Any, new: Any, path: str = "") -> list[str]:
    """What of a file an export does not say again; what it says beyond is fine."""
    if isinstance(old, dict) and isinstance(new, dict):
        gone = [f"{path}.{key}" for key in old if key not in new]
        both = [key for key in old if key in new]
        return gone + [at for key in both for at in _missing(old[key], new[key], f"{path}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [at for place, (a, b) in pairs for at in _missing(a, b, f"{path}[{place}]")]
    return [] if old == new and type(old) is type(new) else [f"{path}: {old!r} -> {new!r}"]


def test_all_files_are_listed() -> None:
    found = {
        f"{folder}/{path.name}"
        for folder in ("label_studio", "annotation_lab")
        for path in (DATA / folder).glob("*.json")
    }
    assert found == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_what_is_read(name: str) -> None:
    found = [
        (
            task.external_id,
            len(task.pages),
            len(task.words),
            [
                (
                    one.author,
                    len(one.content.spans),
                    len(one.content.choices),
                    len(one.content.relations),
                    len(one.content.regions),
                )
                for one in task.completions
            ],
            [(one.model_version, len(one.spans), len(one.choices)) for one in task.predictions],
        )
        for task in _read(name)
    ]
    assert found == FILES[name][1]


@pytest.mark.parametrize("name", FILES)
def test_an_export_reads_as_the_same_tasks(name: str) -> None:
    tasks = _read(name)
    data, omitted = _written(FILES[name][0], tasks)
    assert omitted == {}
    again = make.tasks_of(FORMATS[FILES[name][0]].reader, data)
    if name.endswith(("mlbackend.json", "2_predictions.json", "v0_completions_choices.json")):
        # These leave out who and when, which an export says; see the test of keys.
        assert [_contents(one) for one in again] == [_contents(one) for one in tasks]
    else:
        assert [_bare(one) for one in again] == [_bare(one) for one in tasks]


def _contents(task: ParsedTask) -> tuple[Any, ...]:
    spans = [[(s.start, s.end, s.label) for s in o.content.spans] for o in task.completions]
    choices = [one.content.choices for one in task.completions]
    proposed = [(one.model_version, one.spans, one.choices) for one in task.predictions]
    return task.text, task.external_id, dict(task.metadata), spans, choices, proposed


@pytest.mark.parametrize("name", [one for one in FILES if "v0_completions" not in one])
def test_an_export_says_every_key_again(name: str) -> None:
    data, _ = _written(FILES[name][0], _read(name))
    assert _missing(_raw(name), json.loads(data)) == []


def test_an_export_of_early_label_studio_calls_completions_annotations() -> None:
    name = "label_studio/v0_completions_choices.json"
    (old,) = _raw(name)
    (new,) = json.loads(_written(STUDIO, _read(name))[0])
    assert _missing(old.pop("completions"), new["annotations"]) == []
    assert _missing(old, new) == []


def test_completions_of_generative_ai_lab() -> None:
    first, second = _read("annotation_lab/alab_demo.excerpt.json")
    assert dict(first.metadata) == {"title": "Note 2"}
    plain, starred = first.completions
    assert (plain.ground_truth, starred.ground_truth) == (False, True)
    assert (plain.state, plain.lead_time) == (CompletionState.SUBMITTED, 35.0)
    assert plain.created == 1_658_954_242_219_022
    assert plain.submitted == 1_658_939_846_078_000
    (span,) = plain.content.spans
    assert first.text[span.start : span.end] == "Feb 8"
    assert (span.start, span.end, span.label, span.id) == (63, 68, "DATE", "q9JmAUNQXw")
    assert starred.content.relations[0] == Relation(
        source="q9JmAUNQXw", target="W9kna-ae7a", labels=("is_date_of",), id="rel1"
    )
    assert [(c.name, c.values) for c in starred.content.choices] == [("sentiment", ("Female",))]
    assert {s.label for s in second.completions[0].content.spans} >= {"ABSENT", "DATE"}


CONFIG = """<View><Text name="text" value="$text"/>
<Labels name="label" toName="text"><Label value="DATE"/><Label value="PROBLEM"/>
<Label value="TEST"/><Label value="ABSENT" assertion="true"/></Labels></View>"""


def test_assertions_join_their_spans_and_come_back_as_results() -> None:
    config, _ = parse(CONFIG)
    name = "annotation_lab/alab_demo.excerpt.json"
    first, second = _read(name, ReadOptions(config=config))
    spans = first.completions[1].content.spans
    absent = {first.text[s.start : s.end]: s.assertion for s in spans if s.assertion}
    assert absent == {"fever": "ABSENT", "difficulty breathing": "ABSENT", "flu": "ABSENT"}
    assert (len(spans), len(second.completions[0].content.spans)) == (12, 7)
    data, omitted = _written(LAB, [first, second], WriteOptions(config=config))
    assert omitted == {}
    assert _missing(_raw(name), json.loads(data)) == []


def test_regions_and_words_of_generative_ai_lab() -> None:
    (task,) = _read("annotation_lab/alab_visualner.excerpt.json")
    (page,) = task.pages
    assert (page.image, page.width, page.height) == ("/images/1980/n4_0.png", 2550, 3299)
    (completion,) = task.completions
    regions = [(one.labels, one.text, one.page, one.id) for one in completion.content.regions]
    assert regions == [
        (("DATE",), "April 25, 2024", 1, "O1npZso6Nt"),
        (("EMAIL",), "youssef@gmail.com", 1, "POdUClT0UA"),
    ]
    assert [task.text[one.start : one.end] for one in task.words[:4]] == [
        "Date:", "April", "25,", "2024",
    ]  # fmt: skip
    assert task.words[1].x == pytest.approx(435 / 2550 * 100)


def test_reviews_and_where_an_annotation_came_from() -> None:
    first, _ = _read("label_studio/sdk_csv_test.json")
    (one,) = first.completions
    assert (one.state, one.reviewer) == (CompletionState.REJECTED, "review@heartex.com")
    assert (one.prediction, one.lead_time) == (0, 7.662)
    assert first.predictions[0].created == 1_666_899_648_842_071


def test_what_has_no_place_is_kept_with_a_note() -> None:
    (task,) = _read("label_studio/sdk_csv_test2.json")
    assert [note.partition(":")[0] for note in task.notes] == ["[0].annotations[0].result[0]"]
    assert dict(task.metadata)["title"] == "TAN BAI"
    (choices,) = _read("label_studio/v0_completions_choices.json")
    assert choices.text.startswith("The primary job of this device")
    assert dict(choices.metadata)["overall"] == "5"
