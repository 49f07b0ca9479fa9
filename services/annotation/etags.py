"""Opaque etags: they change with a resource's version and fit no other resource."""

from __future__ import annotations

import hashlib

from services.common.errors import etag_mismatch


def etag_of(name: str, version: int) -> str:
    """Return the etag of a resource at a version."""
    return hashlib.sha256(f"{name}@{version}".encode()).hexdigest()[:20]


def check_etag(sent: str, name: str, version: int) -> None:
    """Return when the caller sent no etag or the current one.

    Raises:
        AbortedError: ETAG_MISMATCH: the resource was changed since.
    """
    if sent and sent != etag_of(name, version):
        raise etag_mismatch(name)
