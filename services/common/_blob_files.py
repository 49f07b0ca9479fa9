"""Names of artifacts, and files that are complete on disk before they show under their name."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from services.common.errors import DataLossError, Reason, invalid_field

_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")


def digest_of(data: bytes) -> str:
    """Return the digest of `data`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def key_of(digest: str) -> str:
    """Return the object key of a digest.

    Raises:
        InvalidArgumentError: It is not a digest. So no caller's text ever becomes a path.
    """
    parts = _DIGEST.fullmatch(digest)
    if parts is None:
        raise invalid_field("digest", 'must be "sha256:" and 64 lower-case hex digits')
    return f"sha256/{parts[1]}/{parts[2]}"


def digest_of_key(key: str) -> str:
    """Return the digest that an object key stands for; empty for other keys."""
    head, _, rest = key.removeprefix("sha256/").partition("/")
    digest = f"sha256:{head}{rest}"
    return digest if _DIGEST.fullmatch(digest) and key_of(digest) == key else ""


def corrupt(digest: str) -> DataLossError:
    """Return the error for stored bytes that are not those of their digest."""
    return DataLossError(
        Reason.ARTIFACT_CORRUPT,
        f"The stored bytes of artifact {digest} do not match its digest.",
        metadata={"digest": digest},
    )


def publish(staged: Path, path: Path, root: Path) -> None:
    """Flush a finished file, rename it into place, and flush the directories down from `root`."""
    _flush(staged)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(path)
    for directory in path.relative_to(root).parents:
        _flush(root / directory)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
