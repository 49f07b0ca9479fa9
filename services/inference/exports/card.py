"""The README of an export: a model card as model hubs read them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from services.inference.exports.content import ExportContent

ONNX_USE = """\
`model.onnx` holds the trunk and the adapters of all labels in one graph; `decode.py` runs it:

```sh
pip install onnxruntime tokenizers numpy
python decode.py "On 1 March 2024, Ada Lovelace paid $1,000."
```

- It prints the spans that the service answers, with the same scores (difference below 1e-3), for
  texts of any length: long ones are cut into overlapping windows, nothing is truncated. Offsets are
  half-open code points. `spanloop_*.py` are the rules for words, windows, word features and
  decoding, as the service has them.
- The service reads all models of a trunk with the longest windows of any of them. Deployed beside
  a version with longer windows than this one's {max_length} pieces, it may find other spans in
  longer texts.
- `decode.py` leaves out what is the server's part of a request: `min_score`, `top_n`, other offset
  units, words instead of spans, `Choices` and assertion statuses.

Inputs of the graph, for the W windows of one text and its M words: `input_ids`, `attention_mask`
[W, T]; `first`, `last` [M], where each word's first and last piece stand in the windows laid one
after the other; `features` [M, F]; `mask` [M, 1]. Output: `probabilities` [labels, M, 3] of begin,
inside and outside.
"""


HUGGING_FACE_USE = """\
```python
from transformers import pipeline

pipe = pipeline("token-classification", model=".", trust_remote_code=True)
pipe("On 1 March 2024, Ada Lovelace paid $1,000.")
```

- It needs `trust_remote_code`: there is no linear head over the last hidden state. Each label has
  a side network that reads hidden states of several layers, the neighbours of a word and its shape,
  which no built-in class can express. Read `modeling_spanloop.py` and `pipeline_spanloop.py`; they
  need torch, transformers, tokenizers and numpy, and nothing of Spanloop.
- It answers the spans that the service answers, with the same scores (difference below 1e-3), for
  texts of any length, as `aggregation_strategy="simple"` would lay them out; spans of different
  labels may overlap. Offsets are half-open code points. Other parameters of the built-in pipeline
  (`aggregation_strategy`, `stride`) are ignored.
- `trunk.*` in `model.safetensors` are the encoder's weights under their own names, but for a
  pooler, which is not read.
- Windows have {max_length} pieces.
"""


def card(content: ExportContent, use: str, *, library: str) -> bytes:
    """Return the card; `use` says how the folder is used."""
    name = content.version.rpartition("/")[2]
    lines = [
        "---",
        f"library_name: {library}",
        "pipeline_tag: token-classification",
        "tags:",
        "- spanloop",
        "- token-classification",
        "---",
        "",
        f"# {name}",
        "",
        f"Exported from Spanloop: `{content.version}`, {len(content.adapters)} labels.",
        f"Trunk: {content.trunk.name} ({content.trunk.precision}).",
        "",
        use.format(max_length=content.max_length),
        "## Labels",
        "",
        *_labels(content),
        "",
    ]
    return "\n".join(lines).encode()


def _labels(content: ExportContent) -> Iterator[str]:
    """Yield a table of what was measured when each label's adapter was trained."""
    yield "| Label | Measured on | Precision | Recall | F1 | Adapter |"
    yield "|---|---|---|---|---|---|"
    for adapter in content.adapters:
        manifest = adapter.manifest
        split = next((one for one in ("test", "dev") if one in manifest.metrics), "")
        scores = manifest.metrics[split] if split else {}
        told = " | ".join(_number(scores.get(one)) for one in ("precision", "recall", "f1"))
        # A label may hold anything, a table's cell may not.
        label = json.dumps(manifest.label, ensure_ascii=False).replace("|", "\\|")
        yield f"| {label} | {split or '–'} | {told} | `{manifest.digest[:19]}…` |"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "–"
