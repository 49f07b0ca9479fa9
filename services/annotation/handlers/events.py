"""The event stream of a project."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.annotation.domain import Event, Project, project_name
from services.annotation.handlers.catalog import Catalog
from services.annotation.publisher import Streams
from services.common.errors import OutOfRangeError, Reason
from services.common.watch import Signal

_PAGE = 500
_MAX_TOKEN = 500


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event, or with None a heartbeat, and the token to continue behind it."""

    event: Event | None
    token: str


class Events:
    """Streams events from any place on."""

    def __init__(
        self,
        catalog: Catalog,
        streams: Streams,
        signal: Signal,
        *,
        poll_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        """Poll for other processes' events; send a heartbeat after that long without news."""
        self._catalog = catalog
        self._streams = streams
        self._signal = signal
        self._poll = poll_seconds
        self._heartbeat = heartbeat_seconds

    async def watch(self, project: str, resume_token: str) -> AsyncIterator[list[Told]]:
        """Yield all events behind the token, some at a time, then new ones; never ends by itself.

        Raises:
            OutOfRangeError: RESUME_TOKEN_INVALID: the token is not one of this stream;
                RESUME_TOKEN_EXPIRED: the events behind it are kept no more.
        """
        found = await self._catalog.project(project)
        seen = self._signal.version(project)
        first = await self._streams.first(project)
        after = first - 1
        if resume_token:
            after = _sequence_of(resume_token, found)
            if after > await self._streams.last(project):
                raise _not_of_stream(project)
            if after < first - 1:
                raise _expired(project)
        quiet_since = time.monotonic()
        while True:
            events = await self._streams.read(project, after=after, limit=_PAGE)
            if events:
                after = events[-1].sequence
                yield [Told(event=one, token=token_of(found, one.sequence)) for one in events]
                quiet_since = time.monotonic()
                continue
            left = quiet_since + self._heartbeat - time.monotonic()
            if left <= 0:
                yield [Told(event=None, token=token_of(found, after))]
                quiet_since = time.monotonic()
                continue
            seen = await self._signal.wait(project, seen, min(left, self._poll))


def token_of(project: Project, sequence: int) -> str:
    """Return the token that continues behind a sequence of a project's stream."""
    raw = json.dumps([sequence, _stamp(project, sequence)], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _sequence_of(token: str, project: Project) -> int:
    if len(token) > _MAX_TOKEN:
        raise _not_of_stream(project.id)
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        sequence, stamp = json.loads(raw)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise _not_of_stream(project.id) from None
    if type(sequence) is not int or stamp != _stamp(project, sequence):
        raise _not_of_stream(project.id)
    return sequence


def _stamp(project: Project, sequence: int) -> str:
    """Tie a token to one stream: a project of the same name elsewhere has another uid."""
    return hashlib.sha256(f"{project.uid}/{sequence}".encode()).hexdigest()[:16]


def _expired(project: str) -> OutOfRangeError:
    return OutOfRangeError(
        Reason.RESUME_TOKEN_EXPIRED,
        f"The events behind the resume_token are kept no more in the stream of "
        f"{project_name(project)}: read its tasks anew, and leave the token empty to go on with "
        "the first event that there is. ListAuditEntries has the changes before it.",
        metadata={"resource": project_name(project), "field": "resume_token"},
    )


def _not_of_stream(project: str) -> OutOfRangeError:
    return OutOfRangeError(
        Reason.RESUME_TOKEN_INVALID,
        f"The resume_token is not one of the stream of {project_name(project)}: leave it empty to "
        "begin with the first event.",
        metadata={"resource": project_name(project), "field": "resume_token"},
    )
