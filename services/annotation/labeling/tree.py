"""The elements of a labelling config, each with its place.

The XML is parsed by expat with document types forbidden, so there are no entities to expand and
nothing to fetch. Where a tag stands is taken from `services.annotation.labeling.scan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from services.annotation.labeling.config import Code, Place, Problem, Severity
from services.annotation.labeling.scan import Lines, ScannedTag, escaped, original_index, scan

MAX_BYTES = 1024 * 1024
MAX_TAGS = 50_000
MAX_LABELS = 10_000
MAX_DEPTH = 200
MAX_ATTRIBUTES = 200
# What to do about what expat says most; anything else it says well enough itself.
_ADVICE = {
    "not well-formed (invalid token)": "not well-formed here: write &amp; for &, &lt; for <, quote "
    "each attribute value, and put a blank between attributes",
    "no element found": "the text ends too early: close every tag",
    "unclosed token": "a tag, comment or section that begins here has no end",
    "mismatched tag": "the end tag does not fit the tag that is open",
    "undefined entity": "only &amp;, &lt;, &gt;, &quot; and &apos; can be used",
    "duplicate attribute": "the tag has this attribute twice: remove one",
    "junk after document element": "only one outermost tag is allowed: put all into one <View>",
}


@dataclass(kw_only=True)
class Node:
    """An element: its tag, attributes with entities resolved, children, and where it stands."""

    tag: str
    attributes: dict[str, str]
    scanned: ScannedTag
    lines: Lines
    children: list[Node] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Where the tag begins."""
        return self.lines.place(self.scanned.start)

    def place_of(self, attribute: str) -> Place:
        """Return where an attribute stands; without it, where the tag begins."""
        found = self.scanned.attribute(attribute)
        return self.place if found is None else self.lines.place(found.start)

    def walk(self) -> Iterator[Node]:
        """Yield the element and everything in it, in order of the text."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


class XmlError(Exception):
    """The XML cannot be read."""

    def __init__(self, problem: Problem) -> None:
        """Carry the problem."""
        super().__init__(problem.message)
        self.problem = problem


def read_tree(xml: str) -> Node:
    """Return the root element.

    Raises:
        XmlError: Too large, not well-formed, or with a document type.
    """
    lines = Lines(xml)
    try:
        size = len(xml.encode())
    except UnicodeEncodeError as error:
        message = "Half of a surrogate pair is no character: remove it."
        raise _refusal(lines.place(error.start), Code.MALFORMED_XML, message) from None
    if size > MAX_BYTES:
        message = f"The config has {size} bytes; {MAX_BYTES} are allowed: shorten it."
        raise _refusal(Place(line=1, column=1), Code.TOO_LARGE, message)
    return _Reading(xml, lines).root()


class _Reading:
    """One reading of a text: expat's events, put beside the tags that the scanner found."""

    def __init__(self, xml: str, lines: Lines) -> None:
        self._xml = xml
        self._lines = lines
        self._tags = scan(xml)
        text, self._escapes = escaped(xml, self._tags)
        self._data = text.encode()
        self._root: Node | None = None
        self._open: list[Node] = []
        self._count = 0
        self._labels = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    def root(self) -> Node:
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            said = expat.ErrorString(error.code) or "not well-formed"
            message = f"This is no XML: {_ADVICE.get(said, said)}."
            place = self._place(self._parser.ErrorByteIndex)
            raise _refusal(place, Code.MALFORMED_XML, message) from None
        assert self._root is not None  # noqa: S101 - expat refuses a text without an element
        return self._root

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        # Both go through the start tags in the same order. Were it ever not so, places and
        # rewriting would be wrong: better no config than a spoilt one.
        scanned = self._tags[self._count] if self._count < len(self._tags) else None
        if scanned is None or scanned.name != tag:
            place = self._place(self._parser.CurrentByteIndex)
            message = f"<{tag[:40]}> cannot be read: write it with blanks between its attributes."
            raise _refusal(place, Code.MALFORMED_XML, message)
        self._count += 1
        self._labels += tag == "Label"
        node = Node(tag=tag, attributes=attributes, scanned=scanned, lines=self._lines)
        if self._count > MAX_TAGS or len(self._open) >= MAX_DEPTH or self._labels > MAX_LABELS:
            message = (
                f"At most {MAX_TAGS} tags, {MAX_LABELS} of them <Label>, and {MAX_DEPTH} within "
                "each other: shorten the config."
            )
            raise _refusal(node.place, Code.TOO_LARGE, message)
        if len(attributes) > MAX_ATTRIBUTES:
            message = f"At most {MAX_ATTRIBUTES} attributes: remove some."
            raise _refusal(node.place, Code.TOO_LARGE, message)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node
        self._open.append(node)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _doctype(self, *_: object) -> None:
        # expat has read on to what follows the name; a comment before may hold the same word.
        begin = self._xml.rfind("<!DOCTYPE", 0, self._index(self._parser.CurrentByteIndex))
        message = "A config has no document type (DOCTYPE), and no entities of its own: remove it."
        raise _refusal(self._lines.place(max(begin, 0)), Code.DTD_FORBIDDEN, message)

    def _place(self, byte: int) -> Place:
        return self._lines.place(self._index(byte))

    def _index(self, byte: int) -> int:
        before = self._data[: max(byte, 0)].decode("utf-8", "ignore")
        return original_index(len(before), self._escapes)


def _refusal(place: Place, code: Code, message: str) -> XmlError:
    return XmlError(Problem(place=place, severity=Severity.ERROR, code=code, message=message))
