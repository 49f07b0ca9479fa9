from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.modeling.decoding import BEGIN, INSIDE, OUTSIDE
from services.common.modeling.evaluation import evaluate
from services.common.modeling.states import WordStateReader, cut_segments
from services.common.modeling.words import split_words
from services.trainer.engines import activations as activations_module
from services.trainer.engines.activations import Activations, cached_activations
from services.trainer.engines.alignment import AlignmentNotes, tag_words
from services.trainer.engines.batch import CachedStates, pack_batch
from services.trainer.engines.cache_segment import ROWS
from services.trainer.engines.dataset import build_split, epoch_batches, text_rows
from services.trainer.engines.interface import Cancelled, Example, NoRoomError
from services.trainer.engines.params import LadderParams, ParamsError
from services.trainer.engines.selection import LabelGold, choose_bias, label_gold
from services.trainer.engines.training_plan import planned_epochs, planned_patience
from tests.unit.tiny_trunk import open_trunk

B, I, O = BEGIN, INSIDE, OUTSIDE  # noqa: E741


def tags(text: str, *spans: tuple[int, int, str]) -> tuple[list[list[int]], AlignmentNotes]:
    notes = AlignmentNotes()
    found = tag_words(Example(text=text, spans=spans), split_words(text), ["A", "B"], notes)
    return found.tolist(), notes


def test_spans_of_different_labels_may_overlap() -> None:
    found, notes = tags("aa bb cc", (0, 5, "A"), (3, 8, "B"), (6, 8, "X"))
    assert found == [[B, I, O], [O, B, I]]
    assert notes == AlignmentNotes()


def test_of_one_label_the_longest_is_kept_and_the_rest_counted() -> None:
    found, notes = tags("aa bb cc dd", (0, 5, "A"), (3, 11, "A"), (0, 2, "A"), (0, 2, "A"))
    assert found[0] == [B, B, I, I]
    assert notes.overlapped == 1


def test_borders_inside_words_are_widened_and_counted() -> None:
    found, notes = tags("aa bb cc", (1, 4, "A"), (5, 6, "B"), (50, 60, "B"))
    assert found == [[B, I, O], [O, O, O]]
    assert (notes.widened, notes.wordless) == (1, 2)
    assert len(notes.sentences("train")) == 2


@pytest.fixture(scope="module")
def reader() -> WordStateReader:
    return WordStateReader(open_trunk(), max_length=32, stride=8)


LARGE = 1 << 26
TEXTS = [f"ab {i} cd " * 40 for i in range(60)] + ["", "x " * 5000]
WORDS = 60 * 120 + 5000


def rows(found: Activations, text: int | None = None) -> NDArray[np.float16]:
    if text is None:
        return found.states[:]
    return found.states[int(found.offsets[text]) : int(found.offsets[text + 1])]


def activations(
    reader: WordStateReader,
    folder: Path,
    stop_after: int | None = None,
    *,
    texts: list[str] | None = None,
    max_bytes: int = LARGE,
) -> Activations:
    asked = [0]

    def should_stop() -> bool:
        asked[0] += 1
        return stop_after is not None and asked[0] > stop_after

    shares: list[float] = []
    result = cached_activations(
        reader,
        reader.prepare(TEXTS if texts is None else texts),
        folder,
        max_bytes=max_bytes,
        spill_dir=folder.parent / "spill",
        on_progress=shares.append,
        should_stop=should_stop,
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return result


def test_activations_are_computed_once_and_equal_the_trunk(
    reader: WordStateReader, tmp_path: Path
) -> None:
    first = activations(reader, tmp_path / "cache")
    assert first.computed == len(rows(first)) == WORDS
    again = activations(reader, tmp_path / "cache")
    assert again.computed == 0
    assert not again.remarks
    np.testing.assert_array_equal(rows(first), rows(again))
    (text,) = reader.prepare([TEXTS[3]])
    (inputs,) = reader.read(cut_segments(text, 1000, 0), independent=True)
    states = inputs.states.transpose(1, 0, 2).astype(np.float16)
    np.testing.assert_array_equal(rows(again, 3), states)
    assert not (tmp_path / "spill").exists()


def test_only_new_texts_run_the_trunk(reader: WordStateReader, tmp_path: Path) -> None:
    known = activations(reader, tmp_path / "cache")
    texts = ["new one here", *reversed(TEXTS), "ab 3", "new one here"]
    found = activations(reader, tmp_path / "cache", texts=texts)
    assert found.computed == 3 + 2
    for index in range(len(TEXTS)):
        np.testing.assert_array_equal(rows(found, len(TEXTS) - index), rows(known, index))
    np.testing.assert_array_equal(rows(found, 0), rows(found, len(texts) - 1))


def test_states_do_not_depend_on_what_was_missing(reader: WordStateReader, tmp_path: Path) -> None:
    texts = ["ab " * (1 + i * 7 % 23) + f"c{i}" for i in range(40)]
    cold = rows(activations(reader, tmp_path / "cold", texts=texts))
    for part in (texts[::2], texts[5:6], texts[30:], texts):
        activations(reader, tmp_path / "warm", texts=part)
    np.testing.assert_array_equal(
        rows(activations(reader, tmp_path / "warm", texts=texts)), cold, strict=True
    )


@pytest.mark.parametrize(("ignores_company", "largest"), [(True, 5), (False, 1)])
def test_independent_reading_pads_nothing_and_mixes_only_what_may_be_mixed(
    monkeypatch: pytest.MonkeyPatch, ignores_company: bool, largest: int
) -> None:
    trunk = open_trunk()
    monkeypatch.setattr(type(trunk), "ignores_company", ignores_company)
    reader = WordStateReader(trunk, max_length=32, stride=8)
    texts = reader.prepare(["ab cd"] * 5 + ["ab", "a b c d e"])
    segments = [segment for text in texts for segment in cut_segments(text, 100, 0)]
    sizes = []
    run = trunk.run

    def recorded(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        sizes.append(len(ids))
        assert mask.all()
        return run(ids, mask)

    monkeypatch.setattr(trunk, "run", recorded)
    reader.read(segments, independent=True)
    assert max(sizes) == largest
    assert sum(sizes) == 7


def test_a_gpu_and_a_quantised_trunk_depend_on_the_batch() -> None:
    trunk = open_trunk()
    assert trunk.ignores_company
    assert "CPUExecutionProvider" in trunk.runtime
    trunk.manifest = dataclasses.replace(trunk.manifest, precision="int8")
    assert not trunk.ignores_company


def test_a_stopped_pass_goes_on_and_damage_is_repaired(
    reader: WordStateReader, tmp_path: Path
) -> None:
    whole = rows(activations(reader, tmp_path / "whole"))
    folder = tmp_path / "cut"
    with pytest.raises(Cancelled):
        activations(reader, folder, stop_after=2)
    rest = activations(reader, folder)
    assert 0 < rest.computed < len(whole)
    np.testing.assert_array_equal(rows(rest), whole)
    with pytest.raises(Cancelled):  # also while reading what is there
        activations(reader, folder, stop_after=2)
    del rest
    path = max(folder.glob(f"*/*{ROWS}"))
    with path.open("r+b") as file:
        file.seek(100)
        file.write(bytes(4))
    repaired = activations(reader, folder)
    assert 0 < repaired.computed < len(whole)
    assert repaired.remarks == ["activation cache: 1 damaged entries were computed again"]
    np.testing.assert_array_equal(rows(repaired), whole)
    assert activations(reader, folder).computed == 0


def test_other_settings_and_versions_are_other_entries(
    reader: WordStateReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["ab cd ef", "gh"]

    def computed(reader: WordStateReader) -> int:
        return activations(reader, tmp_path / "cache", texts=texts).computed

    assert computed(reader) == 4
    trunk = reader.trunk
    assert computed(WordStateReader(trunk, max_length=24, stride=8)) == 4
    assert computed(WordStateReader(trunk, max_length=32, stride=4)) == 4
    other = open_trunk()
    other.manifest = dataclasses.replace(other.manifest, name="other")
    assert computed(WordStateReader(other, max_length=32, stride=8)) == 4
    for name in ("POOLING", "WORD_SPLITTER", "_FORMAT"):
        with monkeypatch.context() as changed:
            changed.setattr(activations_module, name, "another version")
            assert computed(reader) == 4
    with monkeypatch.context() as changed:
        changed.setattr(type(trunk), "runtime", "another release")
        assert computed(reader) == 4
    assert computed(reader) == 0


def test_more_than_the_bound_is_kept_for_the_run_only(
    reader: WordStateReader, tmp_path: Path
) -> None:
    whole = rows(activations(reader, tmp_path / "whole"))
    folder, bound = tmp_path / "cache", 200_000
    for _ in range(2):
        found = activations(reader, folder, max_bytes=bound)
        np.testing.assert_array_equal(rows(found), whole)
        assert "full of what running jobs use" in found.remarks[0]
        assert sum(path.stat().st_size for path in folder.glob(f"*/*{ROWS}")) <= bound
    # What fitted the first time was there the second time.
    assert 0 < found.computed < WORDS
    del found  # its segments are in use, and stay, for as long as it lives
    nothing = activations(reader, folder, max_bytes=0)
    assert nothing.computed == WORDS
    np.testing.assert_array_equal(rows(nothing), whole)
    assert not list((tmp_path / "spill").iterdir())


def test_without_a_usable_folder_a_run_goes_on_and_says_so(
    reader: WordStateReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(activations(reader, tmp_path / "whole"))
    (tmp_path / "cache").write_bytes(b"a file where the directory belongs")
    found = activations(reader, tmp_path / "cache")
    np.testing.assert_array_equal(rows(found), whole)
    (remark,) = found.remarks
    assert "cannot be written (File exists)" in remark
    (tmp_path / "spill").rmdir()
    (tmp_path / "spill").write_bytes(b"a file here too")
    with pytest.raises(NoRoomError, match="free space"):
        activations(reader, tmp_path / "cache")


FILL = """
import sys
from pathlib import Path
from services.common.modeling.states import WordStateReader
from tests.unit.test_engine_data import activations, rows
from tests.unit.tiny_trunk import open_trunk

class Slow(WordStateReader):
    def read(self, *arguments, **options):
        print("block", flush=True)
        sys.stdin.read(1)
        return super().read(*arguments, **options)

found = activations(Slow(open_trunk(), max_length=32, stride=8), Path(sys.argv[1]))
print("done", found.computed, rows(found).tobytes().hex()[:64], flush=True)
"""


def fill(folder: Path) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", FILL, str(folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'sdk'}:{root}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_share_the_work_and_a_killed_one_loses_a_block(
    reader: WordStateReader, tmp_path: Path
) -> None:
    whole = rows(activations(reader, tmp_path / "whole"))
    with fill(tmp_path / "cache") as killed, fill(tmp_path / "cache") as other:
        assert killed.stdin is not None
        assert killed.stdout is not None
        for _ in range(3):
            assert killed.stdout.readline() == "block\n"
            killed.stdin.write(".")
            killed.stdin.flush()
        assert killed.stdout.readline() == "block\n"  # the third block is stored
        killed.kill()
        output, _ = other.communicate("." * 100)
    done = output.splitlines()[-1].split()
    assert done[0] == "done"
    assert 0 < int(done[1]) < WORDS
    assert done[2] == whole.tobytes().hex()[:64]
    found = activations(reader, tmp_path / "cache")
    assert found.computed == 0
    assert not found.remarks
    np.testing.assert_array_equal(rows(found), whole)


def test_batches_hold_every_row_once_in_an_order_of_the_epoch(
    reader: WordStateReader, tmp_path: Path
) -> None:
    made = [Example(text=f"a{i} b c." * (i % 7), spans=[(0, 2, "A")]) for i in range(50)]
    texts = reader.prepare([example.text for example in made])
    cache = activations(reader, tmp_path / "cache", texts=[example.text for example in made])
    split = build_split(made, texts, cache, ["A"], AlignmentNotes())
    rows = text_rows(split, 10)
    batches = epoch_batches(rows, lambda _: 25, seed=3, epoch=1)
    assert batches == epoch_batches(rows, lambda _: 25, seed=3, epoch=1)
    assert batches != epoch_batches(rows, lambda _: 25, seed=3, epoch=2)
    growing = epoch_batches(rows, lambda index: 10 + 5 * index, seed=3, epoch=1)
    sizes = [sum(item.end - item.start for item in batch) for batch in growing]
    assert all(size <= 10 + 5 * index for index, size in enumerate(sizes))
    assert len(growing[-2]) > len(growing[0])
    seen = sorted(i for batch in batches for item in batch for i in range(item.start, item.end))
    assert seen == list(range(split.words))
    assert all(sum(item.end - item.start for item in batch) <= 25 for batch in batches)
    packed = pack_batch(split, CachedStates(), batches[0], gap=2, taps=[0, 2])
    source = packed.layout.source
    real = source >= 0
    np.testing.assert_array_equal(packed.features.numpy()[real], split.features[source[real]])
    np.testing.assert_array_equal(
        packed.states.numpy()[:, real], split.states[source[real]][:, [0, 2]].transpose(1, 0, 2)
    )
    assert not packed.mask[~real].any()
    assert not packed.states[:, ~real].any()
    part = split.subset([5, 2])
    assert part.words == len(texts[5].words) + len(texts[2].words)
    np.testing.assert_array_equal(
        part.states[: len(texts[5].words)],
        split.states[split.offsets[5] : split.offsets[6]],
    )


def test_chosen_score_is_that_of_the_public_evaluation(
    reader: WordStateReader, tmp_path: Path
) -> None:
    from services.common.modeling.decoding import decode_bio

    draw = np.random.default_rng(0)
    made = []
    for _ in range(30):
        text = " ".join("ab" for _ in range(draw.integers(1, 9)))
        starts = draw.choice(text.count(" ") + 1, 1) * 3
        made.append(Example(text=text, spans=[(int(s), int(s) + 2, "A") for s in starts]))
    made.append(Example(text="abc", spans=[(1, 2, "A")]))
    texts = reader.prepare([example.text for example in made])
    cache = activations(reader, tmp_path / "cache", texts=[example.text for example in made])
    split = build_split(made, texts, cache, ["A"], AlignmentNotes())
    logits = draw.normal(size=(split.words, 3)).astype(np.float32)
    (gold,) = label_gold(split, ["A"])
    choice = choose_bias(logits, gold, split.offsets[1:], 0.5)
    predicted = []
    for index, text in enumerate(texts):
        part = logits[split.offsets[index] : split.offsets[index + 1]]
        predicted.append(
            [
                (text.words[s.first][0], text.words[s.last - 1][1], "A")
                for s in decode_bio(part, choice.bias)
            ]
        )
    wanted = evaluate([example.spans for example in made], predicted, ["A"]).labels["A"]
    assert choice.score == wanted
    assert wanted.support == 31


def test_few_spans_leave_the_bias_where_it_usually_is() -> None:
    def fitted(spans: int) -> float:
        # The gold words need a bias of -2 or less; what is not gold would need -5.
        logits = np.zeros((4 * spans, 3), dtype=np.float32)
        logits[:, OUTSIDE] = np.where(np.arange(4 * spans) % 4, 5.0, 1.9)
        logits[:, INSIDE] = -9.0
        stride = len(logits) + 1
        keys = np.arange(0, 4 * spans, 4, dtype=np.int64) * stride + np.arange(1, 4 * spans, 4)
        gold = LabelGold(keys=keys, support=spans, stride=stride)
        return choose_bias(logits, gold, np.asarray([len(logits)]), 0.0).bias

    biases = [fitted(spans) for spans in (1, 4, 40, 4000)]
    assert biases == sorted(biases, reverse=True)
    assert biases[0] == -0.75
    assert biases[-1] <= -2.0
    nothing = LabelGold(keys=np.empty(0, dtype=np.int64), support=0, stride=9)
    assert choose_bias(np.zeros((8, 3), np.float32), nothing, np.asarray([8]), 0.0).bias == 0.0


def test_epochs_follow_the_size_of_the_data() -> None:
    params = LadderParams()
    small, large = planned_epochs(params, 20_000), planned_epochs(params, 10_000_000)
    assert small * -(-20_000 // params.batch_words) >= params.min_steps
    assert large == 3
    assert planned_epochs(params, 10) <= 200
    # Nothing stops a run without dev, so it is shorter.
    assert planned_epochs(params, 60_000, decided=False) < planned_epochs(params, 60_000) / 4
    assert planned_epochs(LadderParams(epochs=5), 10) == 5
    assert planned_patience(params, 3) == 3
    assert planned_patience(params, 100) == 7
    assert planned_patience(LadderParams(patience=9), 3) == 9


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"widht": 3}, "unknown parameter 'widht'"),
        ({"width": 3.5}, "whole number"),
        ({"width": "3"}, "must be a number"),
        ({"width": True}, "must be a number"),
        ({"width": 1}, "between 4 and 512"),
        ({"dropout": float("nan")}, "finite"),
        ({"dropout": 0.99}, "between"),
        ({"max_length": 64, "stride": 40}, "half"),
    ],
)
def test_refuses_wrong_params(document: dict[str, object], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        LadderParams.from_document(document)


def test_params_round_trip() -> None:
    params = LadderParams(width=16, seed=7, learning_rate=0.05)
    assert LadderParams.from_document(params.to_document()) == params
    assert LadderParams.from_document({}) == LadderParams()
