"""A trunk that learns: torch's twin of the trunk that serves, read word by word as serving does."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, PeftModel, get_peft_model

from services.common.modeling.manifest import TrunkManifest
from services.common.modeling.states import Segment, WindowRead, window_inputs, window_reads
from services.common.modeling.tokenisation import TextTokenizer
from services.trainer.engines.batch import Layout
from services.trainer.engines.dataset import Rows, TextSplit
from services.trainer.engines.description import OptionValue
from services.trainer.engines.interface import Cancelled, EngineError, ShouldStop
from services.trainer.engines.trunk_export import TapModel
from services.trainer.engines.trunk_source import TrunkSource

# Most pieces, padding included, in one run of the trunk.
_BATCH_TOKENS = 4096


class TunableTrunk:
    """An encoder whose weights, or low-rank changes of them, are trained."""

    def __init__(
        self,
        source: TrunkSource,
        model: torch.nn.Module,
        manifest: TrunkManifest,
        tokenizer: TextTokenizer,
        device: torch.device,
        should_stop: ShouldStop,
    ) -> None:
        """Train what of `model` asks for gradients; prefer ``full`` or ``lora``."""
        self.manifest = manifest
        self.device = device
        self._source = source
        self._should_stop = should_stop
        self.tokenizer = tokenizer
        self._model = model.to(device)
        self._taps = TapModel(model, manifest.hidden_size)
        self.parameters: dict[str, torch.nn.Parameter] = {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }

    @classmethod
    def full(
        cls,
        source: TrunkSource,
        manifest: TrunkManifest,
        tokenizer: TextTokenizer,
        device: torch.device,
        *,
        should_stop: ShouldStop,
    ) -> TunableTrunk:
        """Train all weights; ask `should_stop` before each run of the trunk."""
        source.model.requires_grad_(requires_grad=True)
        return cls(source, source.model, manifest, tokenizer, device, should_stop)

    @classmethod
    def lora(
        cls,
        source: TrunkSource,
        manifest: TrunkManifest,
        tokenizer: TextTokenizer,
        device: torch.device,
        *,
        options: Mapping[str, OptionValue],
        seed: int,
        should_stop: ShouldStop,
    ) -> TunableTrunk:
        """Train low-rank changes of some matrices; ask `should_stop` as ``full`` does.

        Raises:
            EngineError: The option `targets` names no matrix of this encoder.
        """
        targets = str(options["targets"])
        torch.manual_seed(seed)
        config = LoraConfig(
            r=int(options["rank"]),
            lora_alpha=options["alpha"],  # type: ignore[arg-type]  # any number will do
            lora_dropout=float(options["lora_dropout"]),
            target_modules=targets
            if targets == "all-linear"
            else [name.strip() for name in targets.split(",")],
            # The pooler's output is not read.
            exclude_modules=r".*\bpooler\b.*",
            bias="none",
        )
        try:
            with warnings.catch_warnings():
                # It remarks on encoders without a pooler, and calls what transformers deprecates.
                warnings.simplefilter("ignore")
                model = get_peft_model(source.model, config)
        except ValueError as error:
            linear = {
                name.rpartition(".")[2]
                for name, module in source.model.named_modules()
                if isinstance(module, torch.nn.Linear)
            }
            raise EngineError(
                f"targets {targets!r} names no matrix of the trunk {source.name}; it has: "
                f"{', '.join(sorted(linear))}"
            ) from error
        return cls(source, model, manifest, tokenizer, device, should_stop)

    def train(self, *, training: bool) -> None:
        """Switch the encoder's own dropout on or off."""
        self._model.train(training)

    def read(self, split: TextSplit, layout: Layout) -> torch.Tensor:
        """Return the states of packed words, with gradients if they are switched on.

        Args:
            split: Where the words are from.
            layout: The words.

        Returns:
            float32 [taps, packed rows, hidden_size]; zero for words that the trunk never sees.

        Raises:
            Cancelled: When `should_stop` says so.
        """
        segments = [_segment(split, item) for item in layout.rows]
        found: list[torch.Tensor] = []
        # Where each word's first and last piece stand in what the trunk gives.
        pieces = np.zeros((2, len(layout.source)), dtype=np.int64)
        seen = np.zeros(len(layout.source), dtype=np.float32)
        size = 0
        for batch in self._batches(segments):
            if self._should_stop():
                raise Cancelled
            ids, mask = window_inputs(
                segments, batch, self.tokenizer, pad_token_id=self.manifest.pad_token_id
            )
            taps = self._taps(
                torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)
            )
            found.append(taps.flatten(1, 2))
            for row, read in enumerate(batch):
                base = size + row * ids.shape[1] + len(self.tokenizer.prefix)
                for place, (words, positions) in enumerate((read.first, read.last)):
                    packed = layout.starts[read.segment] + words
                    pieces[place, packed] = base + positions
                    seen[packed] = 1.0
            size += ids.size
        if not found:
            shape = (self.manifest.taps, len(layout.source), self.manifest.hidden_size)
            return torch.zeros(shape, device=self.device)
        states = torch.cat(found, dim=1)
        first, last = (torch.from_numpy(places).to(self.device) for places in pieces)
        # The mean of a word's first and last piece, as in serving.
        pooled = 0.5 * (states[:, first] + states[:, last])
        return pooled * torch.from_numpy(seen)[None, :, None].to(self.device)

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the states of a batch of windows, as `TrunkRunner.run` does."""
        self.train(training=False)
        with torch.inference_mode():
            taps = self._taps(
                torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)
            )
        return np.asarray(taps.cpu().numpy(), dtype=np.float32)

    def merged(self) -> TrunkSource:
        """Return the encoder as it is now, changes merged; it can be trained no more."""
        model = self._model
        if isinstance(model, PeftModel):
            model = model.merge_and_unload()
        model.requires_grad_(requires_grad=False)
        return replace(self._source, model=model.cpu().eval())

    def _batches(self, segments: Sequence[Segment]) -> list[list[WindowRead]]:
        """Return the windows to run, those of like length together."""
        reads = [
            read
            for index, segment in enumerate(segments)
            for read in window_reads(
                index,
                segment.text.windows,
                segment.text.encoded.word_pieces[segment.start : segment.end],
            )
        ]
        reads.sort(key=lambda read: read.window.end - read.window.start)
        batches: list[list[WindowRead]] = []
        for read in reads:
            length = read.window.end - read.window.start + self.tokenizer.special_count
            if not batches or length * (len(batches[-1]) + 1) > _BATCH_TOKENS:
                batches.append([])
            batches[-1].append(read)
        return batches


def _segment(split: TextSplit, rows: Rows) -> Segment:
    index = int(np.searchsorted(split.offsets, rows.start, side="right")) - 1
    base = int(split.offsets[index])
    start, end = rows.start - base, rows.end - base
    return Segment(text=split.texts[index], start=start, end=end, own_start=start, own_end=end)
