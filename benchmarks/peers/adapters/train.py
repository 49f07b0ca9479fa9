"""Trains one label as an adapter of its own with the `adapters` library; runs in its environment.

    python train.py --data FOLDER --weights FOLDER --label LABEL --out FOLDER [--rate 1e-3] …

As the library's documentation has it: a bottleneck adapter (`seq_bn`, Pfeiffer) and a tagging head
on the frozen encoder, AdamW with linear decay after a warm-up. Nothing slows it down: batches are
of texts of like length and padded only to their longest, evaluation has no gradients, and weights
that are kept live in memory. FOLDER holds train.jsonl, dev.jsonl and test.jsonl with `text` and
`spans`. The best epoch on dev is kept, training ends after `--patience` epochs without a better
one, and a bias of O is fitted on dev: all as the engine does that it is compared with.

Written to the folder of `--out`: `predictions.jsonl`, the spans of each test text, and
`figures.json`. The clock runs from tokenising to the last epoch's evaluation; loading the model and
predicting the test texts are not counted.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, get_linear_schedule_with_warmup

BEGIN, INSIDE, OUTSIDE, IGNORED = 0, 1, 2, -100
TAGS = {BEGIN: "B", INSIDE: "I", OUTSIDE: "O"}
BIASES = np.arange(-4.0, 2.01, 0.25)
# Batches are cut from stretches of so many batches sorted by length.
STRETCH = 50

Borders = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Text:
    """One tokenised text.

    Attributes:
        pieces: Ids with the special ones.
        firsts: Position of each word's first piece; words cut off are not there.
        words: Borders of each word.
        tags: Gold tag of each word.
        gold: Gold spans of the label.
    """

    pieces: list[int]
    firsts: list[int]
    words: list[Borders]
    tags: list[int]
    gold: set[Borders]


def read(path: Path, label: str, tokenizer: object, max_length: int) -> list[Text]:
    """Tokenise a file's texts, words being what stands between white space."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    words = [[m.span() for m in re.finditer(r"\S+", row["text"])] for row in rows]
    encoded = tokenizer(  # type: ignore[operator]
        [[row["text"][a:b] for a, b in found] for row, found in zip(rows, words, strict=True)],
        is_split_into_words=True,
        truncation=True,
        max_length=max_length,
    )
    texts = []
    for index, (row, found) in enumerate(zip(rows, words, strict=True)):
        ids = encoded.word_ids(index)
        firsts = [i for i, w in enumerate(ids) if w is not None and (i == 0 or ids[i - 1] != w)]
        gold = {(start, end) for start, end, name in row["spans"] if name == label}
        texts.append(
            Text(
                pieces=encoded["input_ids"][index],
                firsts=firsts,
                words=found[: len(firsts)],
                tags=tags_of(found[: len(firsts)], gold),
                gold=gold,
            )
        )
    return texts


def tags_of(words: Sequence[Borders], gold: set[Borders]) -> list[int]:
    """Return B, I or O for each word."""
    tags = [OUTSIDE] * len(words)
    for start, end in gold:
        inside = [i for i, (a, b) in enumerate(words) if a < end and b > start]
        for position, i in enumerate(inside):
            tags[i] = BEGIN if position == 0 else INSIDE
    return tags


def batches(texts: Sequence[Text], size: int, rng: random.Random | None) -> Iterator[list[int]]:
    """Yield indices of texts of like length; in random order with `rng`."""
    order = list(range(len(texts)))
    if rng:
        rng.shuffle(order)
    stretch = size * STRETCH if rng else len(order) or 1
    cut = []
    for begin in range(0, len(order), stretch):
        part = sorted(order[begin : begin + stretch], key=lambda i: len(texts[i].pieces))
        cut += [part[i : i + size] for i in range(0, len(part), size)]
    if rng:
        rng.shuffle(cut)
    yield from cut


def tensors(texts: Sequence[Text]) -> dict[str, torch.Tensor]:
    """Pad a batch to its longest text."""
    longest = max(len(text.pieces) for text in texts)
    ids = torch.zeros((len(texts), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, text in enumerate(texts):
        ids[row, : len(text.pieces)] = torch.tensor(text.pieces)
        mask[row, : len(text.pieces)] = 1
        labels[row, torch.tensor(text.firsts, dtype=torch.long)] = torch.tensor(
            text.tags, dtype=torch.long
        )
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def spans_of(words: Sequence[Borders], tags: Sequence[int]) -> list[Borders]:
    """Return the spans of a tagged text; an I after an O begins one."""
    spans: list[Borders] = []
    previous = OUTSIDE
    for (start, end), tag in zip(words, tags, strict=True):
        if tag == BEGIN or (tag == INSIDE and previous == OUTSIDE):
            spans.append((start, end))
        elif tag == INSIDE:
            spans[-1] = (spans[-1][0], end)
        previous = tag
    return spans


def logits_of(
    model: torch.nn.Module, texts: Sequence[Text], size: int
) -> tuple[list[NDArray[np.float32]], float]:
    """Return the logits of each text's words and the mean loss of a word."""
    found: list[NDArray[np.float32]] = [np.zeros((0, 3), np.float32)] * len(texts)
    loss, words = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for batch in batches(texts, size, None):
            data = tensors([texts[i] for i in batch])
            labels = data.pop("labels")
            logits = model(**data).logits
            loss += float(
                torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
                )
            )
            words += int((labels != IGNORED).sum())
            for row, i in enumerate(batch):
                found[i] = logits[row, texts[i].firsts].numpy()
    return found, loss / max(words, 1)


def predicted(
    texts: Sequence[Text], logits: Sequence[NDArray[np.float32]], bias: float
) -> list[list[Borders]]:
    """Return the spans of each text with a bias of O."""
    shift = np.asarray([0, 0, bias], dtype=np.float32)
    return [
        spans_of(text.words, np.argmax(rows + shift, axis=-1).tolist())
        for text, rows in zip(texts, logits, strict=True)
    ]


def f1(texts: Sequence[Text], spans: Sequence[Sequence[Borders]]) -> float:
    """Return the exact-span F1."""
    correct = sum(len(t.gold & set(s)) for t, s in zip(texts, spans, strict=True))
    total = sum(len(t.gold) + len(s) for t, s in zip(texts, spans, strict=True))
    return 2 * correct / total if total else 0.0


def chosen(texts: Sequence[Text], logits: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Return the best F1 on dev and its bias; of equals the bias closest to 0."""
    scored = [
        (f1(texts, predicted(texts, logits, bias)), -abs(bias), bias) for bias in BIASES.tolist()
    ]
    best, _, bias = max(scored)
    return best, bias


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=10, help="at most")
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    # Here, so that what does not need the library can be tested without it.
    import adapters

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)  # noqa: S311 - the order of texts is no secret
    tokenizer = AutoTokenizer.from_pretrained(args.weights)
    model = adapters.AutoAdapterModel.from_pretrained(args.weights)
    # A name of its own: labels may hold what names of modules must not.
    model.add_adapter("label", config="seq_bn")
    model.add_tagging_head("label", num_labels=len(TAGS), id2label=TAGS)
    model.train_adapter("label")
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}

    started, cpu = time.perf_counter(), time.process_time()
    train = read(args.data / "train.jsonl", args.label, tokenizer, args.max_length)
    dev = read(args.data / "dev.jsonl", args.label, tokenizer, args.max_length)
    optimizer = torch.optim.AdamW(trained.values(), lr=args.rate)
    steps = -(-len(train) // args.batch) * args.epochs
    schedule = get_linear_schedule_with_warmup(  # type: ignore[no-untyped-call]
        optimizer, steps // 20, steps
    )
    best: tuple[float, float] = (-1.0, 0.0)
    best_epoch, bias, kept = 0, 0.0, {}
    history = []
    for epoch in range(1, args.epochs + 1):
        begun = time.perf_counter()
        model.train()
        for batch in batches(train, args.batch, rng):
            loss = model(**tensors([train[i] for i in batch])).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
        logits, dev_loss = logits_of(model, dev, 2 * args.batch)
        score, fitted = chosen(dev, logits)
        history.append(
            {
                "epoch": epoch,
                "seconds": time.perf_counter() - begun,
                "dev_f1": score,
                "loss": dev_loss,
            }
        )
        print(json.dumps(history[-1]), flush=True)
        if (score, -dev_loss) > best:
            best, best_epoch, bias = (score, -dev_loss), epoch, fitted
            kept = {name: value.detach().clone() for name, value in trained.items()}
        elif epoch - best_epoch >= args.patience:
            break
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu

    model.load_state_dict(kept, strict=False)
    test = read(args.data / "test.jsonl", args.label, tokenizer, args.max_length)
    logits, _ = logits_of(model, test, 2 * args.batch)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for spans in predicted(test, logits, bias):
            file.write(json.dumps([[start, end, args.label] for start, end in spans]) + "\n")
    figures = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "epochs": len(history),
        "best_epoch": best_epoch,
        "dev_f1": best[0],
        "bias": bias,
        "history": history,
        "parameters": sum(value.numel() for value in trained.values()),
    }
    (args.out / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
