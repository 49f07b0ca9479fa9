from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.common.modeling.decoding import BEGIN, INSIDE, OUTSIDE
from services.common.modeling.evaluation import evaluate
from services.common.modeling.states import WordStateReader
from services.common.modeling.words import split_words
from services.trainer.engines.activations import Activations, cached_activations
from services.trainer.engines.alignment import AlignmentNotes, tag_words
from services.trainer.engines.dataset import build_split, epoch_batches, pack_rows, text_rows
from services.trainer.engines.interface import Cancelled, Example
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


TEXTS = [f"ab {i} cd " * 40 for i in range(60)] + ["", "x " * 5000]


def activations(
    reader: WordStateReader, folder: Path, stop_after: int | None = None
) -> Activations:
    asked = [0]

    def should_stop() -> bool:
        asked[0] += 1
        return stop_after is not None and asked[0] > stop_after

    shares: list[float] = []
    result = cached_activations(
        reader,
        reader.prepare(TEXTS),
        folder,
        on_progress=shares.append,
        should_stop=should_stop,
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return result


def test_activations_are_computed_once_and_equal_the_trunk(
    reader: WordStateReader, tmp_path: Path
) -> None:
    first = activations(reader, tmp_path)
    words = int(first.offsets[-1])
    assert first.computed == words == 60 * 120 + 5000
    again = activations(reader, tmp_path)
    assert again.computed == 0
    np.testing.assert_array_equal(first.states, again.states)
    from services.common.modeling.states import cut_segments

    (text,) = reader.prepare([TEXTS[3]])
    (inputs,) = reader.read(cut_segments(text, 1000, 0))
    part = again.states[again.offsets[3] : again.offsets[4]]
    np.testing.assert_allclose(part, inputs.states.transpose(1, 0, 2), atol=2e-3)


def test_a_stopped_pass_goes_on_and_damage_is_repaired(
    reader: WordStateReader, tmp_path: Path
) -> None:
    whole = np.array(activations(reader, tmp_path / "whole").states)
    folder = tmp_path / "cut"
    with pytest.raises(Cancelled):
        activations(reader, folder, stop_after=2)
    rest = activations(reader, folder)
    assert 0 < rest.computed < len(whole)
    np.testing.assert_array_equal(rest.states, whole)
    (path,) = folder.glob("*/states.npy")
    with path.open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"\0\1\2\3")
    repaired = activations(reader, folder)
    assert 0 < repaired.computed < len(whole)
    np.testing.assert_array_equal(repaired.states, whole)
    path.write_bytes(path.read_bytes()[:1000])
    torn = activations(reader, folder)
    assert torn.computed == len(whole)
    np.testing.assert_array_equal(torn.states, whole)
    (journal,) = folder.glob("*/blocks.json")
    journal.write_bytes(b"{")
    np.testing.assert_array_equal(activations(reader, folder).states, whole)


def test_other_windows_are_another_cache(reader: WordStateReader, tmp_path: Path) -> None:
    activations(reader, tmp_path)
    other = WordStateReader(reader.trunk, max_length=24, stride=8)
    assert activations(other, tmp_path).computed > 0
    assert len(list(tmp_path.iterdir())) == 2


def test_batches_hold_every_row_once_in_an_order_of_the_epoch(
    reader: WordStateReader, tmp_path: Path
) -> None:
    made = [Example(text=f"a{i} b c." * (i % 7), spans=[(0, 2, "A")]) for i in range(50)]
    texts = reader.prepare([example.text for example in made])
    cache = cached_activations(
        reader, texts, tmp_path, on_progress=lambda _: None, should_stop=lambda: False
    )
    split = build_split(made, texts, cache, ["A"], AlignmentNotes())
    rows = text_rows(split, 10)
    batches = epoch_batches(rows, 25, seed=3, epoch=1)
    assert batches == epoch_batches(rows, 25, seed=3, epoch=1)
    assert batches != epoch_batches(rows, 25, seed=3, epoch=2)
    seen = sorted(i for batch in batches for item in batch for i in range(item.start, item.end))
    assert seen == list(range(split.words))
    assert all(sum(item.end - item.start for item in batch) <= 25 for batch in batches)
    packed, source = pack_rows(split, batches[0], 2)
    real = source >= 0
    np.testing.assert_array_equal(packed.features[real], split.features[source[real]])
    assert not packed.mask[~real].any()
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
    cache = cached_activations(
        reader, texts, tmp_path, on_progress=lambda _: None, should_stop=lambda: False
    )
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
    small, large = planned_epochs(params, 5000), planned_epochs(params, 10_000_000)
    assert small * -(-5000 // params.batch_words) >= params.min_steps
    assert large == 3
    assert planned_epochs(params, 10) <= 200
    assert planned_epochs(LadderParams(epochs=5), 10) == 5
    assert planned_patience(params, 3) == 2
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
