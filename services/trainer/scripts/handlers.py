"""Use cases of training scripts, apart from how they are called."""

from __future__ import annotations

import hashlib
from typing import Protocol

from services.common.call import current_call
from services.common.clock import Clock
from services.common.errors import PermissionDeniedError, Reason, invalid_field, not_found
from services.common.idempotency import RequestKey
from services.common.ids import IdSource
from services.common.names import parse_name
from services.common.paging import parse_page
from services.common.validate import check_line
from services.trainer.scripts.model import (
    MAX_CONTENT_BYTES,
    MAX_WALL_SECONDS,
    ScriptLimits,
    TrainingScript,
)
from services.trainer.scripts.repository import ScriptRepository

_PROJECT = "projects/{project}"
SCRIPT = "projects/{project}/trainingScripts/{script}"
_OWNER = "owner"
_FIELD = "training_script"
# Less than this no Python begins with.
_LEAST_MEMORY = 64 * 1024**2


class Members(Protocol):
    """Who belongs to a project. Methods raise SpanloopError; PEER_UNAVAILABLE may pass."""

    async def has_project(self, project: str) -> bool:
        """Return whether there is such a project."""
        ...

    async def roles(self, project: str, user: str) -> frozenset[str]:
        """Return the roles of a user in a project, in lower case; none: not a member."""
        ...


class ScriptHandlers:
    """Creates, reads, lists and deletes training scripts."""

    def __init__(
        self, repository: ScriptRepository, members: Members, clock: Clock, ids: IdSource
    ) -> None:
        """Work with these parts."""
        self._repository = repository
        self._members = members
        self._clock = clock
        self._ids = ids

    async def create(
        self,
        parent: str,
        wanted: TrainingScript,
        content: bytes,
        request_id: str,
        fingerprint_of: bytes,
    ) -> TrainingScript:
        """Store a script.

        Args:
            parent: ``projects/{project}``.
            wanted: The script with the caller's fields.
            content: The program.
            request_id: As sent.
            fingerprint_of: Canonical bytes of what was asked for.

        Raises:
            InvalidArgumentError: A field is unusable.
            PermissionDeniedError: The caller is no owner of the project.
        """
        project = parse_name(_PROJECT, parent, "parent")["project"]
        await self._check_owner(project)
        key = RequestKey.of("CreateTrainingScript", parent, request_id, fingerprint_of)
        if key is not None and (first := await self._repository.find_repeat(key)) is not None:
            return first
        check_line(wanted.display_name, f"{_FIELD}.display_name", 0, 200)
        check_limits(wanted.limits)
        text = _text(content)
        script = TrainingScript(
            project=project,
            id=self._ids.new(),
            digest="sha256:" + hashlib.sha256(content).hexdigest(),
            display_name=wanted.display_name,
            limits=wanted.limits,
            create_time=self._clock.now(),
        )
        return await self._repository.create(script, text, key)

    async def get(self, name: str) -> tuple[TrainingScript, bytes]:
        """Return a script with its content, to members of the project."""
        found = parse_name(SCRIPT, name)
        await self._roles(found["project"])
        script, content = await self._repository.get(found["project"], found["script"])
        return script, content.encode()

    async def list_page(
        self, parent: str, page_size: int, page_token: str
    ) -> tuple[list[TrainingScript], str]:
        """Return a page of a project's scripts, newest first, to members of the project."""
        project = parse_name(_PROJECT, parent, "parent")["project"]
        await self._roles(project)
        scope = f"ListTrainingScripts/{parent}"
        return await self._repository.list_page(
            project, parse_page(page_size, page_token, scope), scope
        )

    async def delete(self, name: str) -> None:
        """Delete a script; queued jobs keep it.

        Raises:
            PermissionDeniedError: The caller is no owner of the project.
        """
        found = parse_name(SCRIPT, name)
        await self._check_owner(found["project"])
        await self._repository.delete(found["project"], found["script"])

    async def _check_owner(self, project: str) -> None:
        if _OWNER not in await self._roles(project):
            raise PermissionDeniedError(
                Reason.ACCESS_DENIED,
                "Only owners of the project may add and delete training scripts: they run on the "
                "trainer's machine.",
            )

    async def _roles(self, project: str) -> frozenset[str]:
        """Return the caller's roles; the services themselves may do what an owner may.

        Raises:
            NotFoundError: There is no such project, or the caller is no member of it: the same
                answer, so that strangers learn nothing.
        """
        user = current_call().user
        if not user:
            if not await self._members.has_project(project):
                raise not_found(f"projects/{project}")
            return frozenset({_OWNER})
        roles = await self._members.roles(project, user)
        if not roles:
            raise not_found(f"projects/{project}")
        return roles


def check_limits(limits: ScriptLimits) -> None:
    """Return when the limits of a script are possible.

    Raises:
        InvalidArgumentError: Names the limit.
    """
    bounds: dict[str, tuple[int, int]] = {
        "wall_seconds": (1, MAX_WALL_SECONDS),
        "memory_bytes": (_LEAST_MEMORY, 2**60),
        "file_bytes": (1, 2**60),
        "folder_bytes": (1, 2**60),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(limits, name) <= high:
            raise invalid_field(
                f"{_FIELD}.limits.{name}", f"must be 0 (the default) or from {low:,} to {high:,}."
            )


def _text(content: bytes) -> str:
    field = f"{_FIELD}.content"
    if not 0 < len(content) <= MAX_CONTENT_BYTES:
        raise invalid_field(field, f"must have 1 to {MAX_CONTENT_BYTES:,} bytes.")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise invalid_field(field, "must be a Python program in UTF-8.") from None
    if "\0" in text:
        raise invalid_field(field, "must not hold NUL.")
    return text
