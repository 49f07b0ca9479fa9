"""The benchmark of throughput: what follows from its seconds, and one small run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.throughput import Measured, figures, main, project_names, words
from tests.support.benchmarks import write_tiny_trunk


def test_speeds_are_words_by_the_median_of_the_seconds() -> None:
    measured = Measured(
        seconds={
            "ours": [10.0, 12.0, 50.0],
            "ours-int8": [5.0],
            "pipeline": [20.0, 28.0],
            "spacy-transformers": [8.0],
            "spacy": [2.0],
        },
        f1={"ours": 0.41239},
    )
    found = figures(measured, words=1200, ours=["ours", "ours-int8"])
    assert found["tokens_per_s"]["ours"] == 100
    assert found["tokens_per_s"]["pipeline"] == 50
    assert found["f1"] == {"ours": 0.4124}
    assert found["ratio"] == {"pipeline": 2.0, "spacy-transformers": 0.67, "spacy": 0.17}
    assert found["best_ratio"]["spacy-transformers"] == 1.6
    # A pipeline without such an encoder is shown beside them, and is no goal.
    assert found["goals_missed"] == ["ahead_of_spacy-transformers"]


def test_words_are_what_stands_between_white_space() -> None:
    assert words(["a b\nc", "don't"]) == 4


def test_trunks_are_told_apart_by_their_precision() -> None:
    assert project_names(["fp32", "int8"]) == ["ours", "ours-int8"]
    with pytest.raises(SystemExit, match="one precision"):
        project_names(["fp32", "fp32"])


def annotated(text: str) -> dict[str, object]:
    """Return a text that begins with a person and ends with a place."""
    place = {"start": len(text) - len("london"), "end": len(text), "label": "LOC"}
    return {"text": text, "spans": [{"start": 0, "end": 3, "label": "PER"}, place]}


@pytest.mark.timeout(300)
def test_a_small_run_trains_serves_and_annotates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split, numbers in (("train", range(20)), ("dev", range(20, 25)), ("test", range(25, 30))):
        lines = [json.dumps(annotated(f"ada paid {n} in london")) for n in numbers]
        (data / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    small = ["--data", str(data), "--trunks", str(write_tiny_trunk(tmp_path)), "--epochs", "1"]
    small += ["--repeats", "1", "--batch", "8", "--threads", "1"]
    small += ["--keep", str(tmp_path / "kept")]
    small += ["--without", "pipeline", "spacy-transformers", "spacy"]
    assert main(small) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert set(found["tokens_per_s"]) == {"ours", "ours-job"}
    assert found["words"] == 100
    assert "the job annotated 20 tasks" in lines
    assert list((tmp_path / "kept").glob("adapters-fp32-*/adapters/LOC"))
