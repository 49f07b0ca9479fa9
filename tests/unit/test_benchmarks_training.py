"""What the benchmark of training does to texts, predictions and figures, without training."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy

from benchmarks.peers import environments
from benchmarks.peers.adapters.train import (
    BEGIN,
    INSIDE,
    OUTSIDE,
    Text,
    batches,
    chosen,
    spans_of,
    tags_of,
)
from benchmarks.peers.exchange import (
    Cost,
    label_scores,
    micro,
    read_predictions,
    read_texts,
    run_child,
    write_texts,
)
from benchmarks.peers.runs import AdaptersRun, LadderRun, Run
from benchmarks.peers.spacy.convert import document
from benchmarks.training import NEXT_LABEL, figures, main, union
from services.common.modeling.evaluation import Score
from services.trainer.engines.interface import Example

TEXTS = [
    Example(text="Ada met Bob Ross", spans=[(0, 3, "PER"), (8, 16, "PER")]),
    Example(text="in Rome", spans=[(3, 7, "LOC"), (3, 7, "PER")]),
    Example(text="nothing", spans=[]),
]


def score(correct: int, predicted: int, support: int) -> Score:
    return Score(correct=correct, predicted=predicted, support=support)


def ladder(seconds: float, **scores: Score) -> LadderRun:
    return LadderRun(
        cost=Cost(seconds=seconds, cpu_seconds=2 * seconds),
        scores=scores,
        details={},
        epochs=2,
        longest=5,
        patience=3,
        epoch_s=seconds / 4,
    )


def test_texts_pass_through_files_and_predictions_score_as_the_trainer_scores(
    tmp_path: Path,
) -> None:
    write_texts(tmp_path / "texts.jsonl", TEXTS)
    texts = read_texts(tmp_path / "texts.jsonl")
    assert texts == TEXTS
    found = [[[0, 3, "PER"], [8, 11, "PER"]], [[3, 7, "LOC"]], []]
    (tmp_path / "found.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    scores = label_scores(texts, read_predictions(tmp_path / "found.jsonl"), ["LOC", "PER"])
    assert scores == {"LOC": score(1, 1, 1), "PER": score(1, 2, 3)}
    assert micro(scores, ["LOC", "PER"]) == pytest.approx(2 * 2 / 7)
    assert micro(scores, ["LOC"]) == 1.0


def test_predictions_of_other_texts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "found.jsonl").write_text("[]\n")
    with pytest.raises(ValueError, match="zip"):
        label_scores(TEXTS, read_predictions(tmp_path / "found.jsonl"), ["PER"])


def test_the_union_of_labels_has_each_span_once() -> None:
    assert [list(example.spans) for example in union(TEXTS)] == [
        [(0, 3, NEXT_LABEL), (8, 16, NEXT_LABEL)],
        [(3, 7, NEXT_LABEL)],
        [],
    ]


def test_figures_are_per_label_and_compare_the_same_labels() -> None:
    ours = {
        0: ladder(12, LOC=score(1, 1, 1), PER=score(1, 2, 3)),
        1: ladder(16, LOC=score(0, 1, 1), PER=score(2, 2, 3)),
    }
    peers = {
        "LOC": AdaptersRun(
            cost=Cost(seconds=140, cpu_seconds=140),
            scores={"LOC": score(1, 2, 1)},
            details={"epochs": 2},
            epoch_s=[60.0, 80.0],
        )
    }
    found = figures(
        ["LOC", "PER"],
        ours,
        peers,
        cold=ladder(30),
        following=ladder(3.5, **{NEXT_LABEL: score(1, 1, 1)}),
        spacy=Run(
            cost=Cost(seconds=50, cpu_seconds=60),
            scores={"LOC": score(0, 0, 1), "PER": score(3, 3, 3)},
            details={},
        ),
    )
    assert found["ours_label_s"] == 7.0
    assert (found["adapters_label_s"], found["ratio"], found["cpu_ratio"]) == (140.0, 20.0, 10.0)
    assert (found["next_label_ratio"], found["next_label_cpu_ratio"]) == (0.025, 0.05)
    assert found["epoch_ratio"] == 40.0
    assert found["ours_f1_by_seed"] == {0: 0.5714, 1: 0.5714}
    assert (found["adapters_f1"], found["ours_f1_same_labels"]) == (0.6667, 0.5)
    assert (found["spacy_f1"], found["spacy_s"]) == (0.8571, 50.0)


def test_figures_without_peers_are_ours_alone() -> None:
    found = figures(
        ["LOC"],
        {0: ladder(12, LOC=score(1, 1, 1))},
        {},
        cold=ladder(30),
        following=ladder(3, **{NEXT_LABEL: score(1, 1, 1)}),
        spacy=None,
    )
    assert found["ours_f1"] == 1.0
    assert not {"ratio", "adapters_f1", "next_label_ratio", "spacy_f1"} & set(found)


def test_a_failed_runner_says_what_its_log_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such weights'); raise SystemExit(3)"]
    with pytest.raises(SystemExit, match="no such weights"):
        run_child(command, 1, tmp_path / "log")


def test_a_runner_costs_processor_time_of_its_own(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass"
    cost = run_child([sys.executable, "-c", busy], 1, tmp_path / "log")
    assert cost.cpu_seconds >= 0.2
    assert cost.seconds > 0


def test_an_environment_is_made_again_only_when_its_requirements_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "peers" / "tool").mkdir(parents=True)
    requirements = tmp_path / "peers" / "tool" / "requirements.txt"
    requirements.write_text("")
    monkeypatch.setattr(environments, "PEERS", tmp_path / "peers")
    made: list[Path] = []
    monkeypatch.setattr(
        environments.venv,
        "create",
        lambda folder, **_: (folder.mkdir(parents=True, exist_ok=True), made.append(folder)),
    )
    codes = [1, 0, 0]
    monkeypatch.setattr(
        environments.subprocess,
        "run",
        lambda *_, **__: environments.subprocess.CompletedProcess([], codes.pop(0)),
    )
    with pytest.raises(SystemExit, match="--without tool"):
        environments.python_of("tool", tmp_path / "envs")
    python = environments.python_of("tool", tmp_path / "envs")
    assert python == tmp_path / "envs" / "tool" / "bin" / "python"
    environments.python_of("tool", tmp_path / "envs")
    assert len(made) == 2
    requirements.write_text("other==1\n")
    environments.python_of("tool", tmp_path / "envs")
    assert len(made) == 3


def test_words_and_spans_go_both_ways() -> None:
    words = [(0, 3), (4, 7), (8, 11), (12, 16)]
    tags = tags_of(words, {(0, 3), (4, 7), (8, 16)})
    assert tags == [BEGIN, BEGIN, BEGIN, INSIDE]
    assert spans_of(words, tags) == [(0, 3), (4, 7), (8, 16)]
    assert spans_of(words, [OUTSIDE, INSIDE, INSIDE, OUTSIDE]) == [(4, 11)]


def test_batches_hold_each_text_once_and_texts_of_like_length() -> None:
    texts = [
        Text(pieces=[0] * length, firsts=[], words=[], tags=[], gold=set())
        for length in (5, 1, 4, 2, 3)
    ]
    plain = list(batches(texts, 2, None))
    assert plain == [[1, 3], [4, 2], [0]]
    mixed = list(batches(texts, 2, random.Random(1)))
    assert sorted(i for batch in mixed for i in batch) == [0, 1, 2, 3, 4]


def test_the_bias_that_finds_most_is_chosen() -> None:
    text = Text(pieces=[], firsts=[1], words=[(0, 3)], tags=[BEGIN], gold={(0, 3)})
    missed = np.asarray([[0.0, 0.0, 1.1]], dtype=np.float32)
    assert chosen([text], [missed]) == (1.0, -1.25)


def test_spacy_gets_words_and_no_overlaps() -> None:
    doc = document(
        spacy.blank("en"),
        "Ada met Bob Ross",
        [(0, 3, "PER"), (8, 16, "PER"), (8, 11, "LOC"), (1, 3, "LOC")],
    )
    assert doc.text == "Ada met Bob Ross"
    assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == [
        (0, 3, "PER"),
        (8, 16, "PER"),
    ]


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="gone"):
        main(["--data", str(tmp_path / "gone"), "--without", "adapters", "spacy"])
