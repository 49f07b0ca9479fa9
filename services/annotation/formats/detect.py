"""What format a file is in, told from its beginning and its name."""

from __future__ import annotations

import codecs
import re
import tarfile
import zlib
from pathlib import PurePosixPath

from services.annotation.formats import json_shapes, line_shapes
from services.annotation.formats.records import TaskFormat

HEAD_BYTES = 256 * 1024
_UNPACKED = 64 * 1024
_ABOUT = re.compile(
    r"(?:read[-_ ]?me|licen[cs]e|copying|notice|authors|change-?log|contributing|citation|source)"
    r"(?:[._-].*)?|.*__readme\.\w+",
    re.IGNORECASE,
)
_LICENCE = re.compile(
    r"Creative Commons (?:Legal Code|Corporation)|Permission is hereby granted, free of charge"
    r"|Apache License\s+Version 2|GNU (?:LESSER |AFFERO )?GENERAL PUBLIC LICENSE"
    r"|Redistribution and use in source and binary forms|Mozilla Public License",
)
_NO_TASKS = {
    ".md": "a page about the data",
    ".rst": "a page about the data",
    ".conf": "a setting of brat",
    ".dtd": "a grammar of XML",
    ".ann": "the half of a brat pair: pack the folder with the .txt files into one tar file",
}
_XML = re.compile(r"\s*<(?:\?xml|!DOCTYPE|!--|collection[\s>])", re.IGNORECASE)
# Below comments and imports: TRAIN_DATA = [("…, the list alone, or the repr of a dict or of lists.
_PYTHON = re.compile(
    r"""(?:[ \t]*(?:\#.*|(?:import|from)[ ].*)?\r?\n)*
    (?:
        [A-Za-z_]\w*[ \t]*(?::[^=\n]*)?=\s*[\[(]\s*[(\[{]\s*[rbu]{0,2}["']
        | [\[(]\s*\(\s*[rbu]{0,2}["']
        | (?:\[\s*)?\{\s*'[^'\n]*'\s*:
        | \[\s*\[\s*'
    )""",
    re.VERBOSE,
)
# Formats whose keys no other format has.
_CERTAIN = frozenset(
    (
        TaskFormat.GENERATIVE_AI_LAB,
        TaskFormat.LABEL_STUDIO_MIN,
        TaskFormat.PRODIGY,
        TaskFormat.SPACY_JSON,
        TaskFormat.SPACY_TUPLES,
    )
)
_ROOT = re.compile(r"<(?![?!])([\w:.-]+)")


def needs_more(head: bytes) -> bool:
    """Whether a file is JSON whose first object goes on behind its first HEAD_BYTES.

    What the object is may only show behind a long text, unless its keys have told already.
    """
    if len(head) < HEAD_BYTES or _binary(head) is not None:
        return False
    text = _decoded(head)
    if text is None or text.lstrip()[:1] not in ("{", "["):
        return False
    found = json_shapes.parsed(text.encode(), goes_on=True)
    if found.broken or found.complete:
        return False
    return json_shapes.shape_of(found.items) not in _CERTAIN


def detect(head: bytes, file_name: str = "", separator: str = "") -> TaskFormat | None:
    """Return the format of a file, or None when it is no file of tasks.

    Args:
        head: Its first HEAD_BYTES or more, or all of it.
        file_name: Its name, if known; a folder before it is disregarded.
        separator: Between the columns of its lines, if known.
    """
    binary = _binary(head)
    if binary is not None:
        return binary
    name = PurePosixPath(file_name.replace("\\", "/")).name
    extension = PurePosixPath(name).suffix.lower()
    text = _decoded(head)
    if text is None or not text.strip() or extension in _NO_TASKS or _ABOUT.fullmatch(name):
        return None
    if _LICENCE.search(text[:4_000]) and not text.lstrip().startswith(("{", "[")):
        return None
    if _XML.match(text):
        root = _ROOT.search(text)
        return TaskFormat.BIOC if root is not None and root[1] == "collection" else None
    is_json = False
    if text.lstrip()[:1] in ("{", "["):
        goes_on = len(head) >= HEAD_BYTES
        shape = json_shapes.shape_of(json_shapes.items_of(text.encode(), text, goes_on=goes_on))
        if shape is not None:
            return shape
        is_json = json_shapes.parsed(text.encode(), goes_on=goes_on).is_json
        if extension in (".json", ".jsonl", ".ndjson"):
            return None
    elif extension in (".json", ".jsonl", ".ndjson"):
        return json_shapes.shape_of(json_shapes.items_of(b"", text))
    lines = text.splitlines()
    if len(head) >= HEAD_BYTES and len(lines) > 1:
        lines.pop()
    found = line_shapes.shape_of(lines[:500], extension, separator)
    # Nobody wants the lines of JSON or of Python source as texts.
    is_source = is_json or _PYTHON.match(text) is not None
    return None if found is TaskFormat.TEXT and is_source else found


def explain(head: bytes, file_name: str = "") -> str:
    """Return why `detect` finds no format in a file, and what to do about it."""
    name = PurePosixPath(file_name.replace("\\", "/")).name
    extension = PurePosixPath(name).suffix.lower()
    shown = name[:100] or "The file"
    give = "If it holds tasks, name its format with --format."
    if extension in _NO_TASKS:
        return f"{shown} is {_NO_TASKS[extension]}. {give}"
    if head[:2] == b"\x1f\x8b":
        return f"{shown} is compressed and no tar archive of a brat folder: unpack it first."
    if head[:2] == b"PK":
        return f"{shown} is a ZIP archive: unpack it and import the files in it."
    text = _decoded(head)
    if text is None:
        return f"{shown} is neither UTF-8 nor UTF-16 with a byte order mark: save it as UTF-8."
    if not text.strip():
        return f"{shown} is empty."
    if _ABOUT.fullmatch(name) or _LICENCE.search(text[:4_000]):
        return f"{shown} is a licence or a page about the data. {give}"
    if _XML.match(text):
        return f"{shown} is XML, but no BioC collection; other XML is not read."
    if _PYTHON.match(text):
        return (
            f"{shown} is Python source: write its list as JSON, json.dump(TRAIN_DATA, file), and "
            "import that."
        )
    if text.lstrip()[:1] in ("{", "["):
        if not json_shapes.items_of(text.encode(), text, goes_on=len(head) >= HEAD_BYTES):
            return f"{shown} begins like JSON, but is none: check its first value."
        return f"{shown} is JSON with keys that no format has. {give}"
    return f"{shown} looks like no format that is read. {give}"


def _binary(head: bytes) -> TaskFormat | None:
    if head[:2] == b"\x1f\x8b":
        unpacked = _unpacked(head, 16 + zlib.MAX_WBITS)
        return TaskFormat.BRAT if _is_tar(unpacked) else None
    if _is_tar(head):
        return TaskFormat.BRAT
    if head[:1] == b"\x78":
        unpacked = _unpacked(head, zlib.MAX_WBITS)
        # A DocBin is a msgpack map of about nine entries.
        is_map = re.match(rb"[\x80-\x8f\xde\xdf]", unpacked) is not None
        if is_map and (b"tokens" in unpacked or b"attrs" in unpacked):
            return TaskFormat.SPACY_DOCBIN
    return None


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _unpacked(head: bytes, window: int) -> bytes:
    try:
        return zlib.decompressobj(window).decompress(head, _UNPACKED)
    except zlib.error:
        return b""


def _decoded(head: bytes) -> str | None:
    """Return the beginning as text without its mark; None when it is none."""
    encoding, mark = "utf-8", codecs.BOM_UTF8
    for name, sign in (("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)):
        if head.startswith(sign):
            encoding, mark = name, sign
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        # The last character may be cut off where the file goes on.
        text = decoder.decode(head.removeprefix(mark), final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
