"""Tasks as WebAnno TSV 3.3. Several tasks follow each other, each named by a comment."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence

from services.annotation.content import Span
from services.annotation.domain import Task
from services.annotation.formats.columns.webanno.documents import GAP, RELATION, SPAN, TASK
from services.annotation.formats.columns.webanno.escapes import escape_text, escape_value
from services.annotation.formats.columns.webanno.layers import ColumnKind, Layer
from services.annotation.formats.columns.webanno.layout import Layout, Placed
from services.annotation.formats.columns.webanno.marks import EMPTY, NONE
from services.annotation.formats.columns.webanno.native import (
    Native,
    declared,
    native,
    relation_layer,
)
from services.annotation.formats.losses import count_task
from services.annotation.formats.records import ExportItem, WriteOptions
from services.annotation.formats.tokens import tokens_of
from services.common.offsets import OffsetEncoding, from_code_points

_Key = tuple[int, int, int]


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return Writer(options)


class Writer:
    """Writes tasks one behind the other; see `services.annotation.formats.records.Writer`.

    The header declares the layers that the first task was imported with.
    """

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        """Count offsets in the options' unit, by default UTF-16 as WebAnno does."""
        self.omitted: Counter[str] = Counter()
        self._encoding = options.encoding or OffsetEncoding.UTF16
        self._layers: dict[str, Layer] = {}
        self._offset = 0
        self._sentences = 0
        self._number = 0

    def begin(self) -> bytes:
        """Return nothing: the header comes with the first task."""
        return b""

    def end(self) -> bytes:
        """Return the header of a file without tasks; else nothing."""
        return b"" if self._layers else self._header("").encode()

    def add(self, item: ExportItem) -> bytes:
        """Return a task; a text without a word has no place."""
        task = item.task
        layout = Layout(task.text, tokens_of(task) if task.text else [])
        sentences = layout.sentences()
        if not sentences:
            self.omitted["tasks without a word"] += 1
            return b""
        head = "" if self._layers else self._header(task.extra)
        count_task(self.omitted, item, "tags", "splits", "groups", "metadata")
        block = _Block(self, layout)
        block.place(item)
        out = [head, *self._comments(item, layout, sentences, block.comments)]
        starts = self._starts(task.text)
        behind = 0
        for place, (first, last) in enumerate(sentences):
            self._sentences += 1
            begin, end = layout.extent(first, last)
            gap = task.text[behind:begin]
            if gap != ("" if place == 0 else _filled(starts[begin] - starts[behind])):
                out.append(f"{GAP}{_json(gap)}\n")
            out.append(f"#Text={escape_text(task.text[begin:end])}\n")
            out += block.rows(task.text, starts, self._sentences, first, last)
            out.append("\n")
            behind = end
        self._offset = starts[-1] + 1
        return "".join(out).encode()

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers of the file by name, in the order of its columns."""
        return self._layers

    def number(self) -> int:
        """Return the number of the next annotation."""
        self._number += 1
        return self._number

    def _header(self, extra: str) -> str:
        self._layers = {one.name: one for one in declared(extra)}
        lines = "".join(f"{one.declared}\n" for one in self._layers.values())
        return f"#FORMAT=WebAnno TSV 3.3\n{lines}\n\n"

    def _starts(self, text: str) -> Sequence[int]:
        found = from_code_points(text, range(len(text) + 1), self._encoding)
        return [self._offset + one for one in found]

    def _comments(
        self,
        item: ExportItem,
        layout: Layout,
        sentences: Sequence[tuple[int, int]],
        comments: Sequence[str],
    ) -> list[str]:
        task = item.task
        said = _about(task)
        said["open"] = item.chosen is None
        after = task.text[layout.extent(*sentences[-1])[1] :]
        if after:
            said["after"] = after
        return [f"{TASK}{_json(said)}\n", *comments]


class _Block:
    """The annotations of one task, by unit."""

    def __init__(self, file: Writer, layout: Layout) -> None:
        self.comments: list[str] = []
        self._file = file
        self._layout = layout
        # Of each unit and layer the cells of what stands there, one list per annotation.
        self._cells: dict[tuple[_Key, str], list[list[str]]] = defaultdict(list)
        self._placed: dict[str, tuple[int, Placed, Native]] = {}
        self._later: list[tuple[Layer, str, str, str]] = []
        self._names: dict[_Key, str] = {}

    def place(self, item: ExportItem) -> None:
        """Take the spans and relations of the task's annotation."""
        if item.chosen is None:
            return
        omitted = self._file.omitted
        for span in item.chosen.spans:
            placed = None if span.fragments else self._layout.place(span.start, span.end)
            if placed is None:
                kind = "discontinuous spans" if span.fragments else "spans of blanks only"
                omitted[kind] += 1
            else:
                self._add(span, placed)
        for relation in item.chosen.content.relations:
            ends = [self._placed.get(one) for one in (relation.source, relation.target)]
            source, target = ends
            if source is None or target is None:
                omitted["relations of what cannot be written"] += 1
                continue
            layer = relation_layer(relation, [source[2].layer, target[2].layer], self._file.layers)
            if layer is None:
                said = {
                    "source": source[0],
                    "target": target[0],
                    "labels": list(relation.labels),
                    "direction": relation.direction.value,
                }
                self.comments.append(f"{RELATION}{_json(said)}\n")
            else:
                label = escape_value(relation.labels[0]) if relation.labels else EMPTY
                self._later.append((layer, relation.source, relation.target, label))

    def rows(
        self, text: str, starts: Sequence[int], number: int, first: int, behind: int
    ) -> list[str]:
        """Return the lines of a sentence."""
        if not self._names:
            self._link(number)
        out = []
        for key, row in self._layout.rows(number, first, behind):
            cells = [row.id, f"{starts[row.start]}-{starts[row.end]}", text[row.start : row.end]]
            for layer in self._file.layers.values():
                stacked = self._cells.get((key, layer.name))
                if stacked is None:
                    cells += [NONE] * len(layer.columns)
                else:
                    columns = zip(*stacked, strict=True)
                    cells += [
                        NONE if set(column) == {NONE} else "|".join(column) for column in columns
                    ]
            out.append("\t".join(cells) + "\t\n")
        return out

    def _add(self, span: Span, placed: Placed) -> None:
        number = self._file.number()
        one = native(span, self._file.layers)
        beyond = dict(one.beyond)
        if placed.before:
            beyond["before"] = placed.before
        if placed.after:
            beyond["after"] = placed.after
        if beyond:
            self.comments.append(f"{SPAN}{_json({'number': number, **beyond})}\n")
        cells = [one.cell(column, number) for column in one.layer.columns]
        for key in placed.units:
            self._cells[(key, one.layer.name)].append(cells)
        self._placed[span.id] = (number, placed, one)

    def _link(self, number: int) -> None:
        """Write relations to the first unit of their targets; sentences count from `number`."""
        for place, (first, behind) in enumerate(self._layout.sentences()):
            for key, row in self._layout.rows(number + place, first, behind):
                self._names[key] = row.id
        for layer, source, target, label in self._later:
            source_number, source_placed, _ = self._placed[source]
            target_number, target_placed, _ = self._placed[target]
            reference = f"{self._names[source_placed.units[0]]}[{source_number}_{target_number}]"
            cells = [
                reference
                if column.kind is ColumnKind.REFERENCE
                else label
                if column.name == layer.label
                else EMPTY
                for column in layer.columns
            ]
            self._cells[(target_placed.units[0], layer.name)].append(cells)


def _about(task: Task) -> dict[str, object]:
    said: dict[str, object] = {
        "id": task.external_id,
        "group": task.group,
        "split": task.split.value,
        "tags": list(task.tags),
        "metadata": dict(task.metadata),
        "tokenised": task.tokenised,
    }
    return {name: value for name, value in said.items() if value}


def _filled(count: int) -> str:
    """Return what readers put between two sentences that are so many units apart."""
    return "\n"[:count] + " " * (count - 1)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
