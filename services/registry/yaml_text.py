"""Plain values as YAML. Strings are always quoted, so none is read as something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

# What JSON may hold as it is and YAML must not, or would take for the end of a line.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def to_yaml(value: object, indent: str = "") -> Iterator[str]:
    """Yield the lines of an object or a list of plain values, in block style."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(f"{indent}{key}:", item, indent)
    elif isinstance(value, list):
        for item in value:
            nested = list(to_yaml(item, indent + "  ")) if _is_block(item) else []
            if nested:
                yield f"{indent}- {nested[0].removeprefix(indent + '  ')}"
                yield from nested[1:]
            else:
                yield f"{indent}- {_scalar(item)}"
    else:
        yield f"{indent}{_scalar(value)}"


def _entry(head: str, item: object, indent: str) -> Iterator[str]:
    if _is_block(item):
        yield head
        yield from to_yaml(item, indent + "  ")
    else:
        yield f"{head} {_scalar(item)}"


def _is_block(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _scalar(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
