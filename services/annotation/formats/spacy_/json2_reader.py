"""Reading spaCy's JSON of version 2: documents, paragraphs, sentences, tokens with BILUO tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from services.annotation.content import Content
from services.annotation.formats.json_building import extra_of
from services.annotation.formats.json_fields import (
    a_list,
    a_string,
    an_object,
    an_offset,
    document,
)
from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.formats.spacy_.biluo import MISSING, spans_of
from services.annotation.formats.spacy_.cats import read_cats
from services.annotation.formats.spacy_.spans import NAME, RawGroups, joined_content
from services.annotation.formats.spacy_.tokens import aligned, flat
from services.annotation.spans import RawSpan
from services.annotation.tasks import check_group, check_task_text
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding, from_code_points

_PARAGRAPH_KEYS = frozenset({"raw", "sentences", "cats", "entities"})


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the paragraphs of a file; see `services.annotation.formats.records.Reader`."""
    ordinal = 0
    for item in items(file, options.max_line_bytes):
        if isinstance(item, Refused):
            ordinal += 1
            yield item
            continue
        try:
            group, paragraphs = _document(item, options.file_name)
        except InvalidArgumentError as error:
            ordinal += 1
            yield refusal(item.line, error)
            continue
        for place, one in enumerate(paragraphs):
            ordinal += 1
            try:
                prefix = f"{item.prefix}paragraphs[{place}]"
                yield _Paragraph(one, prefix, item, options).task(ordinal, group)
            except InvalidArgumentError as error:
                yield refusal(item.line, error)


def _document(item: Item, file_name: str) -> tuple[str, list[Any]]:
    """Return the group of a document's texts, and its paragraphs."""
    body = document(item)
    paragraphs = list(a_list(body.get("paragraphs"), f"{item.prefix}paragraphs"))
    name = body.get("id")
    if isinstance(name, str):
        return check_group(name, f"{item.prefix}id"), paragraphs
    # Numbers are counted anew in each file.
    number = item.number - 1 if type(name) is not int else name
    group = f"{file_name}#{number}"[-200:].strip() if len(paragraphs) > 1 else ""
    return check_group(group, f"{item.prefix}id"), paragraphs


class _Paragraph:
    """Reads one text."""

    def __init__(self, value: object, path: str, item: Item, options: ReadOptions) -> None:
        self._body = an_object(value, path)
        self._path = path
        self._item = item
        self._options = options
        self._words: list[tuple[str, str]] = []
        self._tags: list[str] = []
        self._tag_fields: list[str] = []
        # For each sentence, what is said about it, and what about each token beyond its word.
        self._sentences: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        self._labels: dict[str, tuple[int, str]] = {}

    def task(self, ordinal: int, group: str) -> ParsedTask:
        self._read_tokens()
        raw = self._body.get("raw")
        joined = " ".join(word for word, _ in self._words)
        text = joined if raw is None else a_string(raw, f"{self._path}.raw")
        check_task_text(text, f"{self._path}.raw")
        extents = aligned(text, self._words)
        content, notes = self._content(text, extents)
        kept: dict[str, Any] = {
            "tokens": flat(extents),
            "sentences": self._kept_sentences(text, extents),
        }
        rest = {key: one for key, one in self._body.items() if key not in _PARAGRAPH_KEYS}
        if rest:
            kept["paragraph"] = rest
        return ParsedTask(
            line=self._item.line,
            ordinal=ordinal,
            text=text,
            completions=() if content is None else (ParsedCompletion(content=content),),
            labels=self._labels,
            group=group,
            extra=extra_of(NAME, kept, f"{self._path}.sentences"),
            tokenised=raw is None and not any(" " in word for word, _ in self._words),
            notes=tuple(notes),
        )

    def _read_tokens(self) -> None:
        for index, one in enumerate(a_list(self._body.get("sentences"), f"{self._path}.sentences")):
            path = f"{self._path}.sentences[{index}]"
            sentence = an_object(one, path)
            tokens = []
            for place, token in enumerate(a_list(sentence.get("tokens"), f"{path}.tokens")):
                field = f"{path}.tokens[{place}]"
                body = an_object(token, field)
                self._words.append((a_string(body.get("orth"), f"{field}.orth"), f"{field}.orth"))
                self._tags.append(a_string(body.get("ner"), f"{field}.ner", "-"))
                self._tag_fields.append(f"{field}.ner")
                tokens.append({key: said for key, said in body.items() if key not in _TOKEN_KEYS})
            rest = {key: said for key, said in sentence.items() if key != "tokens"}
            self._sentences.append((rest, tokens))

    def _kept_sentences(self, text: str, extents: list[tuple[int, int]]) -> list[dict[str, Any]]:
        """Return what `extra` keeps of the sentences: the words themselves are in the text."""
        said = (token for _, tokens in self._sentences for token in tokens)
        for token, (word, _), (start, end) in zip(said, self._words, extents, strict=True):
            if word != text[start:end]:
                token["orth"] = word
        return [
            {**rest, **({"tokens": tokens} if any(tokens) else {"length": len(tokens)})}
            for rest, tokens in self._sentences
        ]

    def _content(
        self, text: str, extents: list[tuple[int, int]]
    ) -> tuple[Content | None, list[str]]:
        cats = self._cats()
        listed = a_list(self._body.get("entities"), f"{self._path}.entities")
        tagged = any(tag not in MISSING for tag in self._tags)
        if not tagged and not listed and not cats:
            return None, []
        found, notes = spans_of(self._tags, self._tag_fields, repair=self._options.repair)
        encoding = self._options.encoding or OffsetEncoding.CODE_POINT
        raw = RawGroups()
        known = set()
        for first, behind, label in found:
            points = (extents[first][0], extents[behind - 1][1])
            start, end = from_code_points(text, points, encoding)
            span = RawSpan(start=start, end=end, label=label)
            sides = (self._tag_fields[first], self._tag_fields[behind - 1])
            known.add((start, end, label))
            raw.entities.append((span, *sides))
            self._labels.setdefault(label, (self._item.line, sides[0]))
        # Later versions of spaCy say each entity twice: as tags, and in a list.
        for place, value in enumerate(listed):
            path = f"{self._path}.entities[{place}]"
            one = an_object(value, path)
            span = RawSpan(
                start=an_offset(one.get("start"), f"{path}.start"),
                end=an_offset(one.get("end"), f"{path}.end"),
                label=a_string(one.get("label"), f"{path}.label"),
            )
            if (span.start, span.end, span.label) not in known:
                raw.entities.append((span, f"{path}.start", f"{path}.end"))
                self._labels.setdefault(span.label, (self._item.line, f"{path}.label"))
        choices, all_cats = read_cats(cats, self._options.choices_name, f"{self._path}.cats")
        rest = {"cats": all_cats} if all_cats else {}
        content, merged = joined_content(
            text, raw, encoding, choices, rest, f"{self._path}.entities"
        )
        return content, notes + merged

    def _cats(self) -> Mapping[str, Any]:
        cats: dict[str, Any] = {}
        for place, value in enumerate(a_list(self._body.get("cats"), f"{self._path}.cats")):
            path = f"{self._path}.cats[{place}]"
            one = an_object(value, path)
            label = a_string(one.get("label"), f"{path}.label")
            if label in cats:
                raise invalid_field(f"{path}.label", "is there twice: keep one of them.")
            cats[label] = one.get("value")
        return cats


_TOKEN_KEYS = frozenset({"orth", "ner"})
