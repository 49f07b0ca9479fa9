"""GermEval 2014: a number, the token, the tag of the outer and that of the inner entity."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from services.annotation.content import Span
from services.annotation.formats.columns.omissions import (
    count,
    count_content,
    count_spans,
    plain,
)
from services.annotation.formats.columns.rows import (
    Block,
    blocks,
    check_tag,
    check_token,
    task_of,
)
from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.records import (
    ExportItem,
    ReadOptions,
    Record,
    TagScheme,
    WriteOptions,
)
from services.annotation.formats.tags import Marked, encode
from services.annotation.formats.tokens import fitting, tokens_of
from services.common.errors import invalid_field

_COLUMNS = 4
_SOURCE = "source"


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`."""
    for ordinal, block in enumerate(blocks(file, options, _check, _is_comment), start=1):
        if block.refused is not None:
            yield block.refused
            continue
        yield task_of(
            block,
            ordinal,
            [row.columns[1] for row in block.rows],
            [[row.columns[place] for row in block.rows] for place in (2, 3)],
            [TagScheme.IOB2, TagScheme.IOB2],
            options,
            metadata=_source(block),
        )


def writer(options: WriteOptions) -> Writer:  # noqa: ARG001 - the format leaves nothing open
    """Return a writer of one file."""
    return Writer()


class Writer(LineWriter):
    """Writes both levels; see `services.annotation.formats.records.Writer`."""

    def add(self, item: ExportItem) -> bytes:
        """Return a task with an empty line behind; a text that is not annotated has no place."""
        task, chosen = item.task, item.chosen
        if chosen is None:
            self.omitted["tasks without a completion"] += 1
            return b""
        extents = tokens_of(task)
        if not extents:
            self.omitted["tasks without a word"] += 1
            return b""
        outer, _, unaligned = fitting(extents, chosen.spans)
        taken = {id(one) for _, one in outer}
        rest = [one for one in chosen.spans if id(one) not in taken]
        inner, _, _ = fitting(extents, [one for one in rest if _within(one, outer)])
        count_content(self.omitted, item, chosen, extents, ("metadata",))
        count_spans(self.omitted, len(rest) - len(inner) - unaligned, unaligned)
        count(self.omitted, "metadata", len(task.metadata) - (_SOURCE in task.metadata))
        levels = [
            encode(len(extents), [one for one, _ in level], TagScheme.IOB2)
            for level in (outer, inner)
        ]
        source = " ".join(task.metadata.get(_SOURCE, "").split())
        head = f"#\t{source}\n" if source else ""
        rows = (
            "\t".join(
                (str(number), plain(self.omitted, task.text[start:end], "\t\r\n", " "), *tags)
            )
            for number, ((start, end), *tags) in enumerate(
                zip(extents, *levels, strict=True), start=1
            )
        )
        return (head + "\n".join(rows) + "\n\n").encode()


def _within(span: Span, outer: Sequence[tuple[Marked, Span]]) -> bool:
    """Whether a span lies within one of those that stand side by side, in order."""
    place = bisect_right(outer, span.start, key=lambda one: one[1].start) - 1
    return place >= 0 and span.end <= outer[place][1].end


def _check(columns: Sequence[str]) -> None:
    if len(columns) != _COLUMNS:
        raise invalid_field(
            "columns",
            f"the line has {len(columns)} columns: GermEval has {_COLUMNS}, the number, the token, "
            "the outer and the inner tag.",
        )
    check_token(columns[1])
    check_tag(columns[2])
    check_tag(columns[3])


def _is_comment(text: str, columns: Sequence[str], width: int) -> bool:  # noqa: ARG001
    # Lines of tokens begin with a number.
    return text.startswith("#")


def _source(block: Block) -> dict[str, str]:
    """Return what the comments above a text say, e.g. where it is from."""
    said = " ".join(" ".join(one.lstrip("#").split()) for one in block.comments).strip()
    return {_SOURCE: said[:1000]} if said else {}
