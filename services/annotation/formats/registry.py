"""All formats: what they are called, and where their readers and writers are.

A format's modules are imported when it is first used, so that starting the service loads none of
their libraries.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, cast

from services.annotation.formats.records import Reader, TaskFormat, WriteOptions, Writer

WriterFactory: TypeAlias = Callable[[WriteOptions], Writer]
_HERE = "services.annotation.formats"


@dataclass(frozen=True, kw_only=True)
class FormatInfo:
    """A format.

    Attributes:
        title: Its name for people.
        reads: Module in this package that offers `read`.
        writes: Module in this package that offers `writer`; empty where the format is only read.
        extensions: Of files in it, with the dot; the first is given to exports.
        media_type: Of exports.
    """

    title: str
    reads: str
    writes: str
    extensions: tuple[str, ...]
    media_type: str

    @property
    def reader(self) -> Reader:
        """What reads files of the format."""
        return cast("Reader", importlib.import_module(f"{_HERE}.{self.reads}").read)

    @property
    def writer(self) -> WriterFactory | None:
        """What makes a writer of one file, or None where the format is only read."""
        if not self.writes:
            return None
        module = importlib.import_module(f"{_HERE}.{self.writes}")
        return cast("WriterFactory", module.writer)


_JSON = "application/json"
_LINES = "application/x-ndjson"
_TEXT = "text/plain; charset=utf-8"
_COLUMNS = "text/tab-separated-values; charset=utf-8"

FORMATS: Mapping[TaskFormat, FormatInfo] = MappingProxyType(
    {
        TaskFormat.JSONL: FormatInfo(
            title="Spanloop JSON lines",
            reads="jsonl.reader",
            writes="jsonl.writer",
            extensions=(".jsonl", ".ndjson"),
            media_type=_LINES,
        ),
        TaskFormat.CONLL: FormatInfo(
            title="CoNLL columns with IOB1, IOB2, IOBES, BILOU or IO tags",
            reads="columns.conll",
            writes="columns.conll",
            extensions=(".conll", ".iob", ".bio", ".tsv", ".txt"),
            media_type=_COLUMNS,
        ),
        TaskFormat.GERMEVAL: FormatInfo(
            title="GermEval columns with nested tags",
            reads="columns.germeval",
            writes="columns.germeval",
            extensions=(".tsv",),
            media_type=_COLUMNS,
        ),
        TaskFormat.WEBANNO_TSV: FormatInfo(
            title="WebAnno TSV 3 (INCEpTION)",
            reads="columns.webanno",
            writes="columns.webanno",
            extensions=(".tsv",),
            media_type=_COLUMNS,
        ),
        TaskFormat.BRAT: FormatInfo(
            title="brat standoff, as a tar file of pairs",
            reads="brat",
            writes="brat",
            extensions=(".tar", ".tar.gz", ".tgz"),
            media_type="application/x-tar",
        ),
        TaskFormat.LABEL_STUDIO: FormatInfo(
            title="Label Studio JSON",
            reads="label_studio",
            writes="label_studio",
            extensions=(".json",),
            media_type=_JSON,
        ),
        TaskFormat.LABEL_STUDIO_MIN: FormatInfo(
            title="Label Studio JSON-MIN",
            reads="label_studio_min",
            writes="label_studio_min",
            extensions=(".json",),
            media_type=_JSON,
        ),
        TaskFormat.GENERATIVE_AI_LAB: FormatInfo(
            title="Generative AI Lab JSON",
            reads="generative_ai_lab",
            writes="generative_ai_lab",
            extensions=(".json",),
            media_type=_JSON,
        ),
        TaskFormat.DOCCANO: FormatInfo(
            title="doccano JSON lines",
            reads="doccano.reader",
            writes="doccano.writer",
            extensions=(".jsonl", ".json"),
            media_type=_LINES,
        ),
        TaskFormat.PRODIGY: FormatInfo(
            title="Prodigy JSON lines",
            reads="prodigy.reader",
            writes="prodigy.writer",
            extensions=(".jsonl",),
            media_type=_LINES,
        ),
        TaskFormat.SPACY_JSON: FormatInfo(
            title="spaCy 2 training JSON",
            reads="spacy_.json2_reader",
            writes="spacy_.json2_writer",
            extensions=(".json",),
            media_type=_JSON,
        ),
        TaskFormat.SPACY_TUPLES: FormatInfo(
            title="spaCy TRAIN_DATA tuples as JSON",
            reads="spacy_.tuples",
            writes="spacy_.tuples",
            extensions=(".json",),
            media_type=_JSON,
        ),
        TaskFormat.SPACY_DOCBIN: FormatInfo(
            title="spaCy 3 DocBin",
            reads="spacy_.docbin",
            writes="spacy_.docbin",
            extensions=(".spacy",),
            media_type="application/octet-stream",
        ),
        TaskFormat.SPACY_IOB: FormatInfo(
            title="spaCy IOB, a sentence per line as word|TAG",
            reads="columns.spacy_iob",
            writes="columns.spacy_iob",
            extensions=(".iob",),
            media_type=_TEXT,
        ),
        TaskFormat.BIOC: FormatInfo(
            title="BioC XML",
            reads="bioc",
            writes="bioc",
            extensions=(".xml",),
            media_type="application/xml",
        ),
        TaskFormat.TEXT: FormatInfo(
            title="plain text, a text per line or per file",
            reads="plain.text",
            writes="plain.text",
            extensions=(".txt",),
            media_type=_TEXT,
        ),
        TaskFormat.CSV: FormatInfo(
            title="CSV with columns for text and label",
            reads="plain.csv",
            writes="plain.csv",
            extensions=(".csv", ".tsv"),
            media_type="text/csv; charset=utf-8",
        ),
        TaskFormat.FASTTEXT: FormatInfo(
            title="fastText lines with __label__",
            reads="plain.fasttext",
            writes="plain.fasttext",
            extensions=(".txt", ".ft"),
            media_type=_TEXT,
        ),
    }
)
