"""Writing spaCy's JSON of version 2, which ``spacy convert`` turns into a DocBin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.annotation.content import Content
from services.annotation.formats.json_building import kept_list, kept_object, own_extra
from services.annotation.formats.json_fields import to_json
from services.annotation.formats.records import ExportItem, WriteOptions, Writer
from services.annotation.formats.spacy_.biluo import tags_of
from services.annotation.formats.spacy_.cats import write_cats
from services.annotation.formats.spacy_.spans import (
    DEFAULT_GROUP,
    NAME,
    count_losses,
    written_groups,
)
from services.annotation.formats.spacy_.tokens import task_tokens


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return _Json2Writer(options)


class _Json2Writer:
    """Writes a document per task; tasks of one group that follow each other share one."""

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        self.omitted: Counter[str] = Counter()
        self._choices_name = options.choices_name
        self._documents = 0
        self._group = ""

    def begin(self) -> bytes:
        return b"["

    def end(self) -> bytes:
        return b"\n]}\n]\n" if self._documents else b"]\n"

    def add(self, item: ExportItem) -> bytes:
        task = item.task
        if not count_losses(self.omitted, item, self._choices_name, "groups"):
            return b""
        paragraph = to_json(self._paragraph(item)).encode()
        if task.group and task.group == self._group:
            return b",\n" + paragraph
        before = b"\n]}," if self._documents else b""
        name = task.group or self._documents
        self._group = task.group
        self._documents += 1
        opening = f'\n{{"id": {to_json(name)}, "paragraphs": [\n'.encode()
        return before + opening + paragraph

    def _paragraph(self, item: ExportItem) -> dict[str, Any]:
        task = item.task
        tokens = task_tokens(task)
        kept = own_extra(task.extra, NAME)
        body: dict[str, Any] = kept_object(kept, "paragraph")
        if not task.tokenised:
            body["raw"] = task.text
        tags: list[str | None] = [None] * len(tokens)
        if item.chosen is not None:
            tags = list(self._tags(item.chosen.content, tokens))
        words = [task.text[start:end] for start, end in tokens]
        body["sentences"] = _sentences(words, tags, kept_list(kept, "sentences"))
        if item.chosen is not None:
            content = item.chosen.content
            known = own_extra(content.extra, NAME).get("cats")
            cats = write_cats(content.choices, known)
            if cats:
                body["cats"] = [{"label": name, "value": value} for name, value in cats.items()]
        return body

    def _tags(self, content: Content, tokens: Sequence[tuple[int, int]]) -> list[str]:
        written = written_groups(content, tokens, self.omitted)
        taken = set(range(0))
        spans = []
        # Tags have no groups, but what was in one may be free to be tagged.
        for one in [
            *written.entities,
            *(one for key in written.groups for one in written.groups[key]),
        ]:
            extent = range(one.first, one.behind)
            if taken.isdisjoint(extent):
                taken.update(extent)
                spans.append((one.first, one.behind, one.span.label))
        listed = {one.span.id for one in written.entities}
        listed.update(one.span.id for group in written.groups.values() for one in group)
        if len(listed) > len(spans):
            self.omitted["overlapping spans"] += len(listed) - len(spans)
        groups = set(written.groups) - {DEFAULT_GROUP}
        if groups:
            self.omitted["groups of spans"] += len(groups)
        return tags_of(len(tokens), spans)


def _sentences(
    words: Sequence[str], tags: Sequence[str | None], kept: Sequence[Any]
) -> list[dict[str, Any]]:
    """Return the sentences as they were read, or one of all tokens."""
    plans: list[Mapping[str, Any]] = [one for one in kept if isinstance(one, dict)]
    lengths = [_length(one) for one in plans]
    if sum(lengths) != len(words) or len(plans) != len(kept):
        plans, lengths = [{}], [len(words)]
    found = []
    at = 0
    for plan, length in zip(plans, lengths, strict=True):
        bodies = kept_list(plan, "tokens")
        tokens = []
        for place in range(at, at + length):
            said = bodies[place - at] if bodies else {}
            token = {"orth": words[place], **(said if isinstance(said, dict) else {})}
            tag = tags[place]
            tokens.append(token if tag is None else {**token, "ner": tag})
        at += length
        found.append(
            {key: one for key, one in plan.items() if key != "length"} | {"tokens": tokens}
        )
    return found


def _length(plan: Mapping[str, Any]) -> int:
    length = plan.get("length")
    return length if type(length) is int and length >= 0 else len(kept_list(plan, "tokens"))
