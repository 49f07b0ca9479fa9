from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.manifest import ManifestError, TrunkManifest
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.providers import choose_providers
from services.common.modeling.packing import PackedWords, WordInputs, pack_words
from services.common.modeling.word_features import FEATURE_COUNT
from tests.unit.tiny_trunk import HIDDEN, TAPS, adapter, trunk_files

CPU = ["CPUExecutionProvider"]


@pytest.fixture(scope="module")
def trunk() -> TrunkManifest:
    return trunk_files()[0]


@pytest.fixture(scope="module")
def runtime(trunk: TrunkManifest) -> BankRuntime:
    return BankRuntime(trunk, providers=CPU, threads=1)


def inputs(*counts: int, seed: int = 0) -> list[WordInputs]:
    draw = np.random.default_rng(seed)
    return [
        WordInputs(
            states=draw.normal(size=(TAPS, count, HIDDEN)).astype(np.float32),
            features=draw.integers(0, 2, (count, FEATURE_COUNT)).astype(np.float32),
            present=np.ones(count, dtype=np.bool_),
        )
        for count in counts
    ]


def by_hand(weights: AdapterWeights, packed: PackedWords) -> np.ndarray:
    """The ladder in plain numpy, for one label."""
    shape, t = weights.manifest.architecture, weights.tensors

    def norm(x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)

    gelu = np.vectorize(lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))))
    state = packed.features @ t["feature_weight"]
    rows = len(state)
    for rung, tap in enumerate(shape.taps):
        state = state + packed.states[tap] @ t["tap_weight"][rung] + t["tap_bias"][rung]
        seen = np.pad(norm(state) * packed.mask, ((shape.context, shape.context), (0, 0)))
        wide = np.concatenate([seen[i : i + rows] for i in range(2 * shape.context + 1)], -1)
        hidden = gelu(wide @ t["context_weight"][rung] + t["context_bias"][rung])
        state = state + hidden @ t["mix_weight"][rung]
    return norm(state) @ t["head_weight"] + t["head_bias"]


@pytest.mark.parametrize(
    ("context", "taps"), [(0, (0, 1, 2)), (1, (0, 1, 2)), (2, (2,)), (1, (0, 2))]
)
def test_graph_computes_the_ladder(
    runtime: BankRuntime, trunk: TrunkManifest, context: int, taps: tuple[int, ...]
) -> None:
    weights = [adapter(label, trunk, context=context, taps=taps) for label in "ABC"]
    bank = Bank.stack(runtime, weights)
    packed = pack_words(inputs(5, 1, 7), bank.gap)
    logits = bank.run(packed)
    assert logits.shape == (3, len(packed.mask), 3)
    for row, item in enumerate(weights):
        np.testing.assert_allclose(logits[row], by_hand(item, packed), atol=2e-4)


def test_a_label_is_the_same_in_any_company(runtime: BankRuntime, trunk: TrunkManifest) -> None:
    weights = [adapter(label, trunk) for label in "ABCDEFGH"]
    packed = pack_words(inputs(6, 4), 1)
    together = Bank.stack(runtime, weights).run(packed)
    for row, item in enumerate(weights):
        alone = Bank.stack(runtime, [item]).run(packed)[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-5)


def test_texts_do_not_see_each_other(runtime: BankRuntime, trunk: TrunkManifest) -> None:
    bank = Bank.stack(runtime, [adapter("A", trunk, context=2)])
    texts = inputs(3, 5, 1)
    packed = pack_words(texts, bank.gap)
    together = bank.run(packed)
    for text, offset, count in zip(texts, packed.offsets, packed.counts, strict=True):
        alone = bank.run(pack_words([text], bank.gap))
        np.testing.assert_allclose(together[:, offset : offset + count], alone, atol=1e-5)


def test_reach_bounds_what_a_word_sees(runtime: BankRuntime, trunk: TrunkManifest) -> None:
    bank = Bank.stack(runtime, [adapter("A", trunk, context=1)])
    (text,) = inputs(20)
    before = bank.run(pack_words([text], 1))
    text.states[:, 0] += 1.0
    after = bank.run(pack_words([text], 1))
    changed = np.flatnonzero(np.abs(after - before).max(axis=(0, 2)) > 0)
    assert changed.max() == bank.reach == TAPS


def test_selection_and_mixed_architectures(runtime: BankRuntime, trunk: TrunkManifest) -> None:
    weights = [
        adapter("A", trunk),
        adapter("B", trunk, width=6),
        adapter("C", trunk),
        adapter("D", trunk, taps=(1,), context=2),
    ]
    bank = Bank.stack(runtime, weights)
    assert bank.labels == ("A", "B", "C", "D")
    assert (bank.gap, bank.reach) == (2, 3)
    packed = pack_words(inputs(4, 4), bank.gap)
    everything = bank.run(packed)
    for selection in ([0], [1], [2, 0], [3, 1, 2], [0, 2], []):
        np.testing.assert_allclose(bank.run(packed, selection), everything[selection], atol=1e-5)
    assert bank.indices(["C", "A"]) == (2, 0)
    with pytest.raises(KeyError):
        bank.indices(["X"])


def test_many_selections_and_threads(runtime: BankRuntime, trunk: TrunkManifest) -> None:
    bank = Bank.stack(runtime, [adapter(label, trunk) for label in "ABCDEF"])
    packed = pack_words(inputs(4), bank.gap)
    everything = bank.run(packed)
    selections = [[i, j] for i in range(6) for j in range(6) if i != j] * 3
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda selection: bank.run(packed, selection), selections))
    for selection, logits in zip(selections, found, strict=True):
        np.testing.assert_allclose(logits, everything[selection], atol=1e-5)


def test_an_empty_bank_answers_with_no_labels(runtime: BankRuntime) -> None:
    bank = Bank.stack(runtime, [])
    assert bank.run(pack_words(inputs(3), bank.gap)).shape == (0, 3, 3)


def test_refuses_adapters_that_do_not_belong(runtime: BankRuntime, trunk: TrunkManifest) -> None:
    import dataclasses

    item = adapter("A", trunk)
    with pytest.raises(ManifestError, match="'A' has two"):
        Bank.stack(runtime, [item, item])
    foreign = dataclasses.replace(trunk, name="other")
    with pytest.raises(ManifestError, match="'B' belongs to another trunk"):
        Bank.stack(runtime, [item, adapter("B", foreign)])
    with pytest.raises(ManifestError, match="'C' does not fit"):
        Bank.stack(runtime, [adapter("C", trunk, taps=(TAPS,))])


def test_providers(capfd: pytest.CaptureFixture[str]) -> None:
    assert choose_providers("cpu") == CPU
    assert choose_providers("auto")[-1] == CPU[0]
    with pytest.raises(ValueError, match="unknown"):
        choose_providers("tpu")  # type: ignore[arg-type]
    assert capfd.readouterr() == ("", "")
