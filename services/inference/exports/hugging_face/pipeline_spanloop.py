"""The pipeline: from texts of any length to spans, as Spanloop serves them.

pipe = pipeline("token-classification", model=folder, trust_remote_code=True)
pipe("some text")   # [{"entity_group", "score", "word", "start", "end"}, …]
"""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import Pipeline

from services.common.modeling.decoding import decode_tags
from services.common.modeling.tokenisation import TextTokenizer
from services.common.modeling.word_feeds import Reading, word_feeds


class SpanloopPipeline(Pipeline):
    """Finds spans; those of different labels may overlap. Offsets are half-open code points."""

    def _sanitize_parameters(self, **_: Any) -> tuple[dict[str, Any], ...]:
        return {}, {}, {}

    def preprocess(self, input_: str, **_: Any) -> dict[str, Any]:
        """Tokenise a text as a whole: windows are cut below."""
        # A copy: without truncation and padding, which the pipeline's own may have.
        own: Any = self.tokenizer
        tokenizer = TextTokenizer(Tokenizer.from_str(own.backend_tokenizer.to_str()))
        return {"text": input_, "encoded": tokenizer.encode(input_), "tokenizer": tokenizer}

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> Any:
        encoded, tokenizer = input_tensors["encoded"], input_tensors["tokenizer"]
        reading = Reading.of(self.model.config.reading)
        parts = []
        for run in word_feeds(encoded, tokenizer, reading):
            arrays = {
                name: torch.from_numpy(array).to(self.model.device)
                for name, array in run.arrays.items()
            }
            chances = self.model(**arrays).logits.softmax(-1)
            parts.append(chances[:, run.begin - run.first : run.end - run.first].cpu())
        found = torch.cat(parts, dim=1).numpy() if parts else None
        return {"text": input_tensors["text"], "encoded": encoded, "chances": found}

    def postprocess(self, model_outputs: dict[str, Any], **_: Any) -> list[dict[str, Any]]:
        """Return the spans by start."""
        text, words = model_outputs["text"], model_outputs["encoded"].words
        chances = model_outputs["chances"]
        found = decode_tags(chances) if chances is not None else []
        spans = []
        labels: Any = self.model.config.id2label
        for row, some in enumerate(found):
            for span in some:
                start, end = words[span.first][0], words[span.last - 1][1]
                spans.append(
                    {
                        "entity_group": labels[row],
                        "score": span.score,
                        "word": text[start:end],
                        "start": start,
                        "end": end,
                    }
                )
        return sorted(spans, key=lambda span: (span["start"], span["end"], span["entity_group"]))
