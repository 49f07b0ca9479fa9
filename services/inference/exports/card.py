"""The README of an export: a model card as model hubs read them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from services.common.modeling.heads import Head
from services.inference.exports.content import ExportContent

# Hubs know no task of judging spans.
_TASKS = {Head.TAGS: "token-classification", Head.CHOICES: "text-classification"}

_RUN = """\
```sh
pip install onnxruntime tokenizers numpy
python decode.py "On 1 March 2024, Ada Lovelace paid $1,000."{arguments}
```
"""

_WINDOWS = """\
- The service reads all models of a trunk with the longest windows of any of them. Deployed beside
  a version with longer windows than this one's {max_length} pieces, it may {find} in longer texts.
"""

_INPUTS = """\
Inputs of the graph, for the W windows of one text and its M words: `input_ids`, `attention_mask`
[W, T]; `first`, `last` [M], where each word's first and last piece stand in the windows laid one
after the other; `features` [M, F]; and `mask` [M, 1].\
"""

_SPANS_USE = f"""\
`model.onnx` holds the trunk and the adapters of all labels in one graph; `decode.py` runs it:

{_RUN.replace("{arguments}", "")}
- It prints the spans that the service answers, with the same scores (difference below 1e-3), for
  texts of any length: long ones are cut into overlapping windows, nothing is truncated. Offsets are
  half-open code points. `spanloop_*.py` are the rules for words, windows, word features and
  decoding, as the service has them.
{_WINDOWS.replace("{find}", "find other spans")}\
- `decode.py` leaves out what is the server's part of a request: `min_score`, `top_n`, other offset
  units, and words instead of spans.

{_INPUTS} Output: `probabilities` [labels, M, 3] of begin, inside and outside.
"""

_CHOICES_USE = f"""\
`model.onnx` holds the trunk and the adapters of all controls in one graph; `decode.py` runs it:

{_RUN.replace("{arguments}", "")}
- It prints for each control what the service chooses, and the probability of each value (difference
  below 1e-3), for texts of any length: nothing is truncated. Those of a single choice add up to 1;
  of a multiple choice every value is chosen whose own probability reaches its threshold.
  `spanloop_*.py` are the rules for words, windows and word features, as the service has them.
{_WINDOWS.replace("{find}", "give other probabilities")}\

{_INPUTS} `members` [1, M] is 1 for words that count, 0 for those that are there for context
only. The C values of all controls stand one after the other, as in `config.json`. `value_before`,
`total_before` [1, C]: zeros, or `value` and `total` of the run before, of a text that is read in
several. Outputs: `probabilities`, `value` and `total` [1, C].
"""

_ASSERTIONS_USE = f"""\
`model.onnx` holds the trunk and the adapter in one graph; `decode.py` runs it on a text and the
start and end of each span:

{_RUN.replace("{arguments}", " 18 30")}
- It prints for each span the likeliest status and the probabilities of all, as the service answers
  them (difference below 1e-3), for texts of any length. Offsets are half-open code points.
  `spanloop_*.py` are the rules for words, windows, word features and the words around a span, as
  the service has them.
{_WINDOWS.replace("{find}", "give other probabilities")}\

{_INPUTS} The M words are those around the G spans, with rows between that have no pieces:
`members` [G, M] says whose they are, `marks` [M, 3] whether they stand in, before or behind their
span. Output: `probabilities` [G, statuses].
"""

ONNX_USES = {
    Head.TAGS: _SPANS_USE,
    Head.CHOICES: _CHOICES_USE,
    Head.ASSERTION: _ASSERTIONS_USE,
}
"""How a folder for onnxruntime is used, by what it answers."""

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
    task = _TASKS.get(content.head)
    lines = [
        "---",
        f"library_name: {library}",
        *([f"pipeline_tag: {task}"] if task else []),
        "tags:",
        "- spanloop",
        *([f"- {task}"] if task else []),
        "---",
        "",
        f"# {name}",
        "",
        f"Exported from Spanloop: `{content.version}`, {_told(content)}.",
        f"Trunk: {content.trunk.name} ({content.trunk.precision}).",
        "",
        use.format(max_length=content.max_length),
        "## Scores",
        "",
        *_scores(content),
        "",
    ]
    return "\n".join(lines).encode()


def _told(content: ExportContent) -> str:
    first = content.adapters[0].manifest
    match content.head:
        case Head.TAGS:
            return f"{len(content.adapters)} labels"
        case Head.CHOICES:
            return f"{len(content.adapters)} controls"
        case Head.ASSERTION:
            return f"{len(first.classes)} assertion statuses"


def _scores(content: ExportContent) -> Iterator[str]:
    """Yield a table of what was measured when each adapter was trained."""
    yield "| Answers | Measured on | Precision | Recall | F1 | Adapter |"
    yield "|---|---|---|---|---|---|"
    for adapter in content.adapters:
        manifest = adapter.manifest
        split = next((one for one in ("test", "dev") if one in manifest.metrics), "")
        scores = manifest.metrics[split] if split else {}
        told = " | ".join(_number(scores.get(one)) for one in ("precision", "recall", "f1"))
        # A name may hold anything, a table's cell may not.
        name = json.dumps(manifest.label, ensure_ascii=False).replace("|", "\\|")
        yield f"| {name} | {split or '–'} | {told} | `{manifest.digest[:19]}…` |"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "–"
