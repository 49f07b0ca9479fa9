"""Writing a DocBin, the binary training data of spaCy 3."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from services.annotation.content import Content
from services.annotation.formats.json_building import own_extra
from services.annotation.formats.records import ExportItem, WriteOptions, Writer
from services.annotation.formats.spacy_.cats import write_cats
from services.annotation.formats.spacy_.spans import (
    ENT_ID,
    KB_ID,
    NAME,
    WrittenSpan,
    count_losses,
    written_groups,
)
from services.annotation.formats.spacy_.tokens import task_tokens, words_of

_ATTRS = ("ORTH", "ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID")


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return _DocBinWriter(options)


class _DocBinWriter:
    """Writes a document per task. A DocBin is packed as one piece, at the end."""

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        from spacy.tokens import DocBin
        from spacy.vocab import Vocab

        self.omitted: Counter[str] = Counter()
        self._choices_name = options.choices_name
        self._vocab = Vocab()
        self._bin = DocBin(attrs=_ATTRS)

    def begin(self) -> bytes:
        return b""

    def end(self) -> bytes:
        return self._bin.to_bytes()

    def add(self, item: ExportItem) -> bytes:
        from spacy.tokens import Doc

        if not count_losses(self.omitted, item, self._choices_name, KB_ID, ENT_ID):
            return b""
        text = item.task.text
        words, spaces = words_of(text, task_tokens(item.task))
        doc = Doc(self._vocab, words=words, spaces=spaces)
        if item.chosen is not None:
            sizes = (len(word) + space for word, space in zip(words, spaces, strict=True))
            starts = itertools.accumulate(sizes, initial=0)
            tokens = [
                (start, start + len(word)) for start, word in zip(starts, words, strict=False)
            ]
            self._annotate(doc, item.chosen.content, tokens)
        self._bin.add(doc)
        return b""

    def _annotate(self, doc: Any, content: Content, tokens: list[tuple[int, int]]) -> None:
        written = written_groups(content, tokens, self.omitted)
        doc.set_ents([_span(doc, one) for one in written.entities])
        for key, group in written.groups.items():
            doc.spans[key] = [_span(doc, one) for one in group]
        doc.cats = write_cats(content.choices, own_extra(content.extra, NAME).get("cats"))


def _span(doc: Any, one: WrittenSpan) -> Any:
    from spacy.tokens import Span

    said = dict(one.span.attributes)
    return Span(
        doc,
        one.first,
        one.behind,
        label=one.span.label,
        kb_id=said.get(KB_ID, ""),
        span_id=said.get(ENT_ID, ""),
    )
