"""The bank: many adapters, stacked, run together on the states of packed words."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.documents import ManifestError
from services.common.modeling.manifest import Head, LadderArchitecture, TrunkManifest
from services.common.modeling.onnx.bank_graph import build_bank_graph
from services.common.modeling.onnx.pooled_graph import build_pooled_graph
from services.common.modeling.onnx.providers import device_of
from services.common.modeling.onnx.sessions import open_bank_session
from services.common.modeling.packing import PackedWords

# Selections of labels whose stacked weights are kept beside the full stack.
_KEPT_SELECTIONS = 8


class BankRuntime:
    """The sessions that banks share: one small graph per architecture.

    Keep one for as long as the process serves: a new bank then costs only its tensors.
    """

    def __init__(self, trunk: TrunkManifest, *, providers: Sequence[str], threads: int = 0) -> None:
        """Serve banks for this trunk; `providers` as ``TrunkRunner.providers`` returns them."""
        self.trunk = trunk
        self.device = device_of(providers)
        self._providers = list(providers)
        self._threads = threads
        self._lock = threading.Lock()
        self._sessions: dict[LadderArchitecture, ort.InferenceSession] = {}

    def session(self, architecture: LadderArchitecture) -> ort.InferenceSession:
        """Return the session of an architecture, opened at first use."""
        with self._lock:
            session = self._sessions.get(architecture)
            if session is None:
                tags = architecture.head is Head.TAGS
                build = build_bank_graph if tags else build_pooled_graph
                graph = build(architecture, self.trunk.taps)
                session = open_bank_session(
                    graph, self._providers, threads=self._threads, name="bank"
                )
                self._sessions[architecture] = session
            return session

    def place(self, adapters: Sequence[AdapterWeights]) -> dict[str, ort.OrtValue]:
        """Stack the weights of adapters of one architecture on the device."""
        return {
            name: ort.OrtValue.ortvalue_from_numpy(array, self.device, 0)
            for name, array in stack_weights(adapters).items()
        }


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Adapters of one architecture; `members` are their positions in the bank."""

    architecture: LadderArchitecture
    session: ort.InferenceSession
    members: tuple[int, ...]
    adapters: tuple[AdapterWeights, ...]


class Bank:
    """Adapters of one trunk, ready to run. Immutable; runs may come from several threads."""

    def __init__(self, runtime: BankRuntime, adapters: Sequence[AdapterWeights]) -> None:
        """Stack adapters; prefer ``stack``, which verifies them."""
        self._runtime = runtime
        self._groups: list[_Group] = []
        self._lock = threading.Lock()
        self._selections: OrderedDict[tuple[int, ...], list[dict[str, ort.OrtValue]]] = (
            OrderedDict()
        )
        self.adapters = tuple(adapters)
        self.labels = tuple(adapter.label for adapter in adapters)
        by_architecture: dict[LadderArchitecture, list[int]] = {}
        for index, adapter in enumerate(adapters):
            by_architecture.setdefault(adapter.manifest.architecture, []).append(index)
        for architecture, members in by_architecture.items():
            self._groups.append(
                _Group(
                    architecture=architecture,
                    session=runtime.session(architecture),
                    members=tuple(members),
                    adapters=tuple(adapters[index] for index in members),
                )
            )
        self._all = tuple(range(len(adapters)))
        self._full = [self._stack(group.members) for group in self._groups]

    @classmethod
    def stack(cls, runtime: BankRuntime, adapters: Sequence[AdapterWeights]) -> Bank:
        """Verify that adapters belong together and stack them.

        Args:
            runtime: The sessions, for the trunk that the adapters must name.
            adapters: One per label, in the order of the result's labels; may be empty.

        Raises:
            ManifestError: If two adapters have one label, or one belongs to another trunk, reads
                taps that the trunk does not have, or answers no tags; the message names the label.
        """
        check_adapters(runtime.trunk, adapters, Head.TAGS)
        return cls(runtime, adapters)

    @property
    def reach(self) -> int:
        """How many words on either side can influence a word's logits."""
        return max((group.architecture.reach for group in self._groups), default=0)

    @property
    def gap(self) -> int:
        """Masked rows that packed texts need between them."""
        return max((group.architecture.context for group in self._groups), default=0)

    @cached_property
    def outside_bias(self) -> NDArray[np.float32]:
        """The fitted bias of O for each label, [labels]."""
        values = [adapter.manifest.decoding.outside_bias for adapter in self.adapters]
        return np.asarray(values, dtype=np.float32)

    @property
    def window_settings(self) -> tuple[int, int]:
        """Window length and overlap in pieces: the largest that any adapter was trained with."""
        manifests = [adapter.manifest for adapter in self.adapters]
        return (
            max((manifest.max_length for manifest in manifests), default=256),
            max((manifest.stride for manifest in manifests), default=64),
        )

    def indices(self, labels: Sequence[str]) -> tuple[int, ...]:
        """Return the positions of labels.

        Raises:
            KeyError: For a label without adapter.
        """
        position = {label: index for index, label in enumerate(self.labels)}
        return tuple(position[label] for label in labels)

    def run(
        self, packed: PackedWords, selection: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return the logits of packed words.

        Args:
            packed: States of all the trunk's taps, features and mask, with at least ``gap`` masked
                rows between texts.
            selection: Positions of the wanted labels; others are not computed. None for all.

        Returns:
            Logits of B, I and O, [selected labels, rows, 3].
        """
        wanted = self._all if selection is None else tuple(selection)
        rows = packed.mask.shape[0]
        logits = np.empty((len(wanted), rows, 3), dtype=np.float32)
        if rows == 0 or not wanted:
            return logits
        place = {index: position for position, index in enumerate(wanted)}
        feeds = placed({"states": packed.states, "features": packed.features, "mask": packed.mask})
        for group, weights in zip(self._groups, self._weights(wanted), strict=True):
            members = [index for index in group.members if index in place]
            if not members:
                continue
            result = group.session.run_with_ort_values(["logits"], {**feeds, **weights})[0].numpy()
            if members == list(wanted):
                return np.asarray(result, dtype=np.float32)
            logits[[place[index] for index in members]] = result
        return logits

    def _weights(self, wanted: tuple[int, ...]) -> list[dict[str, ort.OrtValue]]:
        key = tuple(sorted(wanted))
        if key == self._all:
            return self._full
        with self._lock:
            kept = self._selections.get(key)
            if kept is not None:
                self._selections.move_to_end(key)
                return kept
        chosen = set(key)
        stacked = [
            self._stack(tuple(index for index in group.members if index in chosen))
            for group in self._groups
        ]
        with self._lock:
            self._selections[key] = stacked
            while len(self._selections) > _KEPT_SELECTIONS:
                self._selections.popitem(last=False)
        return stacked

    def _stack(self, members: tuple[int, ...]) -> dict[str, ort.OrtValue]:
        if not members:
            return {}
        return self._runtime.place([self.adapters[index] for index in members])


def placed(feeds: Mapping[str, Any]) -> dict[str, ort.OrtValue]:
    """Return inputs of a run: arrays as values of the host, values of the device as they are."""
    return {
        name: ort.OrtValue.ortvalue_from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in feeds.items()
    }


def check_adapters(trunk: TrunkManifest, adapters: Sequence[AdapterWeights], head: Head) -> None:
    """Refuse adapters that cannot stand in one bank.

    Raises:
        ManifestError: If two adapters have one label, or one belongs to another trunk, does not fit
            it, or has another head; the message names the label.
    """
    seen: set[str] = set()
    for adapter in adapters:
        manifest = adapter.manifest
        if adapter.label in seen:
            raise ManifestError(f"label {adapter.label!r} has two adapters in one bank")
        seen.add(adapter.label)
        if manifest.trunk_digest != trunk.digest:
            raise ManifestError(f"the adapter of {adapter.label!r} belongs to another trunk")
        shape = manifest.architecture
        if max(shape.taps) >= trunk.taps or shape.hidden_size != trunk.hidden_size:
            raise ManifestError(f"the adapter of {adapter.label!r} does not fit its trunk")
        if shape.head is not head:
            raise ManifestError(
                f"the adapter of {adapter.label!r} answers {shape.head.value}, not {head.value}"
            )


def stack_weights(adapters: Sequence[AdapterWeights]) -> dict[str, NDArray[np.float32]]:
    """Return the graph's weight inputs for adapters of one architecture, in their order."""
    architecture = adapters[0].manifest.architecture
    stacked = {
        name: np.stack([adapter.tensors[name] for adapter in adapters])
        for name in architecture.tensor_shapes()
    }
    labels, rungs, width = len(adapters), len(architecture.taps), architecture.width
    arrays = {
        "tap_weight": stacked["tap_weight"]
        .transpose(1, 0, 3, 2)
        .reshape(rungs, labels * width, architecture.hidden_size),
        "feature_weight": stacked["feature_weight"]
        .transpose(1, 0, 2)
        .reshape(architecture.features, labels * width),
        "head_weight": stacked["head_weight"],
        "head_bias": stacked["head_bias"][:, None],
    }
    for name in ("pool_weight", "span_weight"):
        if name in stacked:
            arrays[name] = stacked[name]
    for rung in range(rungs):
        if "marker_weight" in stacked:
            arrays[f"marker_weight_{rung}"] = stacked["marker_weight"][:, rung]
        arrays[f"tap_bias_{rung}"] = stacked["tap_bias"][:, rung, None]
        arrays[f"context_weight_{rung}"] = stacked["context_weight"][:, rung]
        arrays[f"context_bias_{rung}"] = stacked["context_bias"][:, rung, None]
        arrays[f"mix_weight_{rung}"] = stacked["mix_weight"][:, rung]
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
