"""How the sets of statuses and intents are split, and that the baseline learns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.baseline_data import JudgedSet, grouped, in_dev, load_sets, nlupp_folds
from benchmarks.baselines import baseline, compare, rows_of, scored
from services.trainer.engines.interface import Example


def judged(model_type: str, train: list[Example], *, multiple: bool = False) -> JudgedSet:
    return JudgedSet(
        name="set", model_type=model_type, multiple=multiple, train=train, dev=train, test=train
    )


def test_each_pair_of_folds_is_measured_in_one_round_and_no_fold_is_in_two_parts() -> None:
    assert nlupp_folds(0) == (list(range(16)), [16, 17], [18, 19])
    rounds = [nlupp_folds(number) for number in range(10)]
    assert sorted(fold for _, _, test in rounds for fold in test) == list(range(20))
    for parts in rounds:
        assert sorted(fold for part in parts for fold in part) == list(range(20))


def test_targets_of_a_sentence_come_together_and_the_first_status_holds() -> None:
    rows = [
        {"text": "no cough or fever", "start": 12, "end": 17, "assertion": "absent"},
        {"text": "no cough or fever", "start": 3, "end": 8, "assertion": "absent"},
        {"text": "no cough or fever", "start": 3, "end": 8, "assertion": "present"},
        {"text": "fever", "start": 0, "end": 5, "assertion": "present"},
    ]
    assert grouped(rows) == [
        Example(text="fever", assertions=[(0, 5, "present")]),
        Example(text="no cough or fever", assertions=[(3, 8, "absent"), (12, 17, "absent")]),
    ]


def test_sets_are_read_and_split(tmp_path: Path) -> None:
    (tmp_path / "negex_context").mkdir()
    (tmp_path / "snips").mkdir()
    for split in ("train", "dev"):
        rows = [
            {"text": f"{split} fever {n}", "start": 0, "end": 2, "assertion": "present"}
            for n in range(40)
        ]
        _write(tmp_path / "negex_context" / f"{split}.jsonl", rows)
    for split in ("train", "test"):
        rows = [{"text": f"{split} play {n}", "intent": "Play", "spans": []} for n in range(40)]
        _write(tmp_path / "snips" / f"{split}.jsonl", rows)
    for domain in ("banking", "hotels"):
        (tmp_path / "nlupp" / domain).mkdir(parents=True)
        for fold in range(20):
            rows = [{"text": f"{fold}", "intents": ["b", "a"]}, {"text": f"{fold} none"}]
            (tmp_path / "nlupp" / domain / f"fold{fold}.json").write_text(json.dumps(rows))
    sets = load_sets(tmp_path, 2)
    assert [found.name for found in sets] == [
        "negex_context",
        *["negex_context-folds"] * 5,
        "snips",
        *["nlupp-banking"] * 2,
        *["nlupp-hotels"] * 2,
    ]
    for found in (sets[0], sets[6]):
        assert len(found.test) == 40
        assert found.train
        assert found.dev
        assert all(in_dev(example.text) for example in found.dev)
        assert not any(in_dev(example.text) for example in found.train)
    measured = [example.text for found in sets[1:6] for example in found.test]
    assert len(measured) == len(set(measured)) == 80
    for found in sets[1:6]:
        parts = [
            {example.text for example in part} for part in (found.train, found.dev, found.test)
        ]
        assert len(set.union(*parts)) == sum(map(len, parts)) == 80
        assert all(parts)
    banking = sets[7]
    assert {example.text.split()[0] for example in banking.test} == {"18", "19"}
    assert banking.values == ["a", "b"]
    assert [list(example.choices) for example in banking.test[:2]] == [["a", "b"], []]


def test_rows_are_spans_with_what_surrounds_them_or_whole_texts() -> None:
    rows, values = rows_of(
        [
            Example(text="no fever now", assertions=[(3, 8, "absent")]),
            Example(text="play", choices=["Play"]),
        ]
    )
    assert rows == [("no ", "fever", " now"), ("", "play", "")]
    assert values == [["absent"], ["Play"]]


def test_the_baseline_tells_statuses_by_the_words_around() -> None:
    texts = [
        Example(text=f"{cue} fever today", assertions=[(len(cue) + 1, len(cue) + 6, status)])
        for cue, status in [("no", "absent"), ("has", "present"), ("mother with", "someone_else")]
        for _ in range(5)
    ]
    assert baseline(judged("assertion", texts)).micro.f1 == 1.0


@pytest.mark.parametrize("multiple", [False, True])
def test_the_baseline_tells_intents(multiple: bool) -> None:
    given = [("play a song", ["Play"]), ("book a table", ["Book"])]
    if multiple:
        given += [("play and book", ["Book", "Play"]), ("hello there", [])]
    texts = [Example(text=text, choices=values) for text, values in given for _ in range(5)]
    assert baseline(judged("classification", texts, multiple=multiple)).micro.f1 == 1.0


def test_figures_average_rounds_and_seeds() -> None:
    half = scored([["a"], ["b"]], [["a"], ["a"]], ["a", "b"])
    full = scored([["a"], ["b"]], [["a"], ["b"]], ["a", "b"])
    found = compare([half, full], {0: [full, full], 1: [half, full]})
    assert (found["baseline"], found["ours"]) == (0.75, 0.875)
    assert found["ours_by_seed"] == {0: 1.0, 1: 0.75}
    assert found["ours_spread"] == 0.1768
    assert found["support"] == 4
    assert found["beaten"] is True
    alone = compare([full], {0: [full]})
    assert (alone["beaten"], alone["ours_spread"]) == (False, 0.0)


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
