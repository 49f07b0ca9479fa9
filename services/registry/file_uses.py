"""When files were used, and which are being deleted: what keeps uploads and sweeps apart.

A file itself stands in the artifact store, which knows no conditions. So a document beside it
decides: whoever uploads a file or is about to refer to it says so first, and a sweep first marks
what it deletes, guarded by the revision that it saw. One of the two fails and sees why.

::

    (none) ──use──▶ KEPT ──mark, unused for the grace period──▶ SWEEPING ──file deleted──▶ (none)
       └─────────────────────────mark──────────────────────────────▲

A sweep that died leaves SWEEPING behind. It is finished by the next sweep, or by an upload once the
sweep cannot be alive any more.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.errors import Reason, UnavailableError
from services.common.store.port import (
    Collection,
    DocumentStore,
    DuplicateError,
    Eq,
    MissingError,
    RevisionError,
    Scalar,
    Stored,
)
from services.registry.domain import hex_of

SWEEP_SECONDS = 60.0
"""How long a sweep may take from its mark to the deletion of the one file."""

_USES = "file_uses"
_BATCH = 500
_KEPT, _SWEEPING = "kept", "sweeping"

USES_COLLECTION = Collection(name=_USES)


@dataclass(frozen=True, kw_only=True)
class FileUse:
    """What is known of one file.

    Attributes:
        digest: Its digest.
        time: When it was used, or marked; microseconds UTC.
        sweeping: Whether it is being deleted.
        revision: The document's.
    """

    digest: str
    time: int
    sweeping: bool
    revision: int


class FileUses:
    """The documents beside the files."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def use(self, digest: str, now: int, fresh: int) -> FileUse | None:
        """Say that a file is being uploaded or about to be referred to: it stays for a while.

        Args:
            digest: The file.
            now: Microseconds UTC.
            fresh: A use after this time needs no write.

        Returns:
            None, or the mark of a sweep that deletes it just now.
        """
        while True:
            known = await self.get(digest)
            if known is None:
                try:
                    await self._store.insert(_USES, hex_of(digest), {"state": _KEPT, "time": now})
                except DuplicateError:
                    continue
                return None
            if known.sweeping:
                return known
            if known.time > fresh:
                return None
            if await self._store.update(
                _USES, hex_of(digest), where=[Eq("state", _KEPT)], set={"time": now}
            ):
                return None

    async def get(self, digest: str) -> FileUse | None:
        """Read what is known of a file."""
        stored = await self._store.get(_USES, hex_of(digest))
        return None if stored is None else _use_of(stored)

    async def all(self) -> list[FileUse]:
        """Return all that is known."""
        found: list[FileUse] = []
        position: list[Scalar] | None = None
        while True:
            batch = await self._store.find(_USES, limit=_BATCH, after=position)
            found += map(_use_of, batch)
            if len(batch) < _BATCH:
                return found
            position = [batch[-1].id]

    async def mark(self, digest: str, known: FileUse | None, now: int) -> FileUse | None:
        """Mark a file for deletion; None when it was used or marked since `known` was read."""
        body = {"state": _SWEEPING, "time": now}
        try:
            if known is None:
                return _use_of(await self._store.insert(_USES, hex_of(digest), body))
            return _use_of(
                await self._store.replace(
                    _USES, hex_of(digest), body, expected_revision=known.revision
                )
            )
        except (DuplicateError, MissingError, RevisionError):
            return None

    async def forget(self, use: FileUse) -> None:
        """Remove what is known of a file, unless it changed since."""
        try:
            await self._store.delete(_USES, hex_of(use.digest), expected_revision=use.revision)
        except RevisionError:
            return


def being_deleted(digest: str) -> UnavailableError:
    """Return what the uploader of a file is told that a sweep deletes just now."""
    return UnavailableError(
        Reason.STORE_UNAVAILABLE,
        f"An unused copy of artifact {digest} is being deleted: upload it again.",
        metadata={"digest": digest},
        retry_after=1.0,
    )


def _use_of(stored: Stored) -> FileUse:
    return FileUse(
        digest=f"sha256:{stored.id}",
        time=stored.body["time"],
        sweeping=stored.body["state"] == _SWEEPING,
        revision=stored.revision,
    )
