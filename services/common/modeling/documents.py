"""Reading untrusted JSON documents into typed values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ManifestError(ValueError):
    """A manifest, an adapter or a trunk is not what it must be; the message says in what."""


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Return the one byte form of a document: sorted keys, no white space, UTF-8, no NaN."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def sha256_digest(data: bytes | memoryview) -> str:
    """Return ``sha256:<hex>`` of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, kw_only=True)
class FileDigest:
    """What a file must be: its digest (``sha256:<hex>``) and its size in bytes."""

    digest: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> FileDigest:
        """Describe these bytes."""
        return cls(digest=sha256_digest(data), size=len(data))

    def verify(self, name: str, data: bytes) -> None:
        """Raise ManifestError unless the bytes are the described ones."""
        if len(data) != self.size:
            raise ManifestError(f"{name} has {len(data)} bytes, its manifest says {self.size}")
        if sha256_digest(data) != self.digest:
            raise ManifestError(f"{name} does not have the digest in its manifest")

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"digest": self.digest, "size": self.size}


class Reader:
    """Takes typed values out of one JSON object and says where a value is wrong."""

    def __init__(self, document: object, where: str) -> None:
        """Read `document`; `where` names it in errors.

        Raises:
            ManifestError: If it is not a JSON object.
        """
        if not isinstance(document, dict):
            raise ManifestError(f"{where} is not a JSON object")
        self._document: dict[str, Any] = document
        self._where = where

    @classmethod
    def parse(cls, data: bytes, where: str) -> Reader:
        """Parse bytes as one JSON object."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{where} is not JSON") from error
        return cls(document, where)

    def has(self, key: str) -> bool:
        """Return whether the key is there at all."""
        return key in self._document

    def text(self, key: str) -> str:
        """Return a string that is not empty."""
        value = self._document.get(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "a string")
        return value

    def digest(self, key: str) -> str:
        """Return a ``sha256:<hex>`` string."""
        value = self.text(key)
        if _DIGEST.fullmatch(value) is None:
            raise self.wrong(key, "a digest 'sha256:<64 hex digits>'")
        return value

    def integer(self, key: str, *, at_least: int) -> int:
        """Return a whole number not below `at_least`."""
        value = self._document.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
            raise self.wrong(key, f"a whole number >= {at_least}")
        return value

    def number(self, key: str) -> float:
        """Return a finite number."""
        value = self._document.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e9:
            raise self.wrong(key, "a number")
        return float(value)

    def integers(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers, none negative."""
        value = self._document.get(key)
        if not isinstance(value, list) or not all(
            isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in value
        ):
            raise self.wrong(key, "a list of whole numbers")
        return tuple(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of finite numbers."""
        values = self._list(key, "numbers")
        return tuple(Reader({key: value}, self._where).number(key) for value in values)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings that are not empty."""
        values = self._list(key, "strings")
        return tuple(Reader({key: value}, self._where).text(key) for value in values)

    def object(self, key: str) -> Reader:
        """Return a reader of a nested object."""
        return Reader(self._document.get(key), f"{self._where}.{key}")

    def document(self, key: str) -> dict[str, Any]:
        """Return a nested object as it is."""
        value = self._document.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return value

    def files(self, key: str) -> dict[str, FileDigest]:
        """Return file names with their digests."""
        files = {}
        for name in self.document(key):
            entry = Reader(self.document(key)[name], f"{self._where}.{key}[{name}]")
            files[name] = FileDigest(
                digest=entry.digest("digest"), size=entry.integer("size", at_least=0)
            )
        return files

    def _list(self, key: str, kind: str) -> list[Any]:
        value = self._document.get(key)
        if not isinstance(value, list):
            raise self.wrong(key, f"a list of {kind}")
        return value

    def wrong(self, key: str, wanted: str) -> ManifestError:
        """Return the error for a value that is not `wanted`."""
        return ManifestError(f"{self._where}.{key} must be {wanted}")
