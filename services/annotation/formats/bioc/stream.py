"""The documents of a BioC file one by one, as XML elements, in bounded memory.

The `bioc` library keeps every document that it has read, and expands entities; so it is lxml's pull
parser here, without entities, DTD and network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lxml import etree  # type: ignore[import-untyped]  # it has no types

from services.annotation.formats.records import Refused
from services.common.errors import InvalidArgumentError, Reason

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024

Infons = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What stands above the documents of a collection."""

    source: str = ""
    date: str = ""
    key: str = ""
    infons: Infons = ()


def documents(file: BinaryIO) -> Iterator[tuple[Header, etree._Element] | Refused]:
    """Yield each document element with the header of its collection.

    The element is emptied when the next one is asked for. A file that is cut off or broken behind
    its first document ends with a `Refused`.

    Raises:
        InvalidArgumentError: REQUEST_MALFORMED: it is no XML, no BioC collection, or defines
            entities; REQUEST_TOO_LARGE: a document is larger than MAX_DOCUMENT_BYTES.
    """
    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    header: Header | None = None
    depth = held = yielded = 0
    try:
        while chunk := file.read(_CHUNK):
            held += len(chunk)
            if held > MAX_DOCUMENT_BYTES:
                raise _too_large()
            parser.feed(chunk)
            for event, element in parser.read_events():
                if event == "start":
                    if depth == 0:
                        _check_root(element)
                    depth += 1
                    continue
                depth -= 1
                if depth != 1 or element.tag != "document":
                    continue
                parent = element.getparent()
                if header is None:
                    header = _header(parent)
                yielded += 1
                held = 0
                yield header, element
                element.clear()
                while element.getprevious() is not None:
                    del parent[0]
        parser.close()
    except etree.XMLSyntaxError as error:
        if not yielded:
            raise _malformed(f"is no well-formed XML ({error.msg})") from error
        yield Refused(
            line=error.lineno or 0,
            reason=Reason.REQUEST_MALFORMED,
            field="collection",
            message=f"The XML ends or is broken here ({error.msg}): what follows is not read.",
        )


def infons_of(element: etree._Element) -> Infons:
    """Return the infons of an element, in order."""
    return tuple((one.get("key", ""), one.text or "") for one in element.findall("infon"))


def _header(collection: etree._Element) -> Header:
    return Header(
        source=(collection.findtext("source") or "").strip(),
        date=(collection.findtext("date") or "").strip(),
        key=(collection.findtext("key") or "").strip(),
        infons=infons_of(collection),
    )


def _check_root(element: etree._Element) -> None:
    if element.tag != "collection":
        raise _malformed(f"begins with <{str(element.tag)[:100]}> instead of <collection>")
    dtd = element.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise _malformed("defines entities, which are not read: write them out")


def _malformed(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.REQUEST_MALFORMED, f"The file is no BioC collection: it {why}."
    )


def _too_large() -> InvalidArgumentError:
    return InvalidArgumentError(
        Reason.REQUEST_TOO_LARGE,
        f"A document has more than {MAX_DOCUMENT_BYTES} bytes of XML: divide it.",
        metadata={"limit": str(MAX_DOCUMENT_BYTES)},
    )
