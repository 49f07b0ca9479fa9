"""Aliases: second names of model versions, and what they stand for.

Those that users set are entries of the deployment log. The built-in ones are not stored: they are
read from the revisions that the log keeps, so they cannot disagree with what is served.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.common.call import check_deadline, current_actor
from services.common.clock import Clock
from services.common.errors import (
    NotFoundError,
    Reason,
    ResourceExhaustedError,
    etag_mismatch,
    invalid_field,
)
from services.common.paging import next_token, parse_page
from services.common.version_names import check_alias, split_alias
from services.registry import deployment as decisions
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import ModelVersion, version_name
from services.registry.handlers.versions import Versions
from services.registry.naming import is_line_id
from services.registry.pointers import AliasTable, Deployment, ModelAlias

CHAMPION = "champion"
PREVIOUS = "previous"
BUILT_IN = (CHAMPION, PREVIOUS)
MAX_ALIASES = 200


class Aliases:
    """The aliases of all projects."""

    def __init__(self, log: DeploymentLog, versions: Versions, clock: Clock) -> None:
        """Use the given parts."""
        self._log = log
        self._versions = versions
        self._clock = clock
        # Spares callers of one process lost races; the log is what keeps changes apart.
        self._changing = asyncio.Lock()

    async def version(self, project: str, version: str) -> ModelVersion:
        """Read a version, given by its id or an alias.

        Raises:
            NotFoundError: The project has no such version or alias (MODEL_VERSION_UNKNOWN).
        """
        return await self._versions.get(project, await self._resolve(project, version))

    async def set(self, project: str, id: str, version: str, etag: str) -> ModelAlias:
        """Point an alias at a version, given by its id or another alias.

        Raises:
            NotFoundError: The project has no such version or alias.
            AbortedError: `etag` is given and not the current one.
            FailedPreconditionError: The version is not READY.
            InvalidArgumentError: The alias is built in, or of another line than the version.
            ResourceExhaustedError: The project has MAX_ALIASES already.
        """
        line, alias = _settable(id, "model_alias.name")
        async with self._changing:
            while True:
                check_deadline()
                end = await self._log.end()
                table = await self._log.aliases(project)
                known = table.aliases.get(id)
                _check_etag(project, id, known, etag)
                wanted = await self.version(project, version)
                if wanted.line != line:
                    raise invalid_field(
                        "model_alias.model_version",
                        f"{wanted.name} is of line {wanted.line}: name the alias "
                        f"{wanted.line}@{alias}.",
                    )
                retired = await self._log.retired(project, [wanted.id])
                decisions.check_deployable(wanted, retired=bool(retired))
                if known is not None and known.version == wanted.id:
                    return known
                if known is None and len(table.aliases) >= MAX_ALIASES:
                    raise ResourceExhaustedError(
                        Reason.REQUEST_TOO_LARGE,
                        f"A project has at most {MAX_ALIASES} aliases: delete one first.",
                        metadata={"max_aliases": str(MAX_ALIASES)},
                    )
                new = ModelAlias(
                    project=project,
                    line=line,
                    alias=alias,
                    version=wanted.id,
                    etag=str(end + 1),
                    update_time=self._clock.now(),
                    actor=current_actor(),
                )
                changed = AliasTable(project=project, aliases={**table.aliases, id: new})
                if await self._log.append_aliases(end, changed, new):
                    return new

    async def delete(self, project: str, id: str, etag: str) -> None:
        """Remove an alias.

        Raises:
            NotFoundError: There is none of this name (RESOURCE_NOT_FOUND).
            AbortedError: `etag` is given and not the current one.
            InvalidArgumentError: The alias is built in.
        """
        line, alias = _settable(id, "name")
        async with self._changing:
            while True:
                check_deadline()
                end = await self._log.end()
                table = await self._log.aliases(project)
                known = table.aliases.get(id)
                if known is None:
                    raise NotFoundError(
                        Reason.RESOURCE_NOT_FOUND,
                        f"{version_name(project, id)} is no alias of the project.",
                        metadata={"resource": version_name(project, id)},
                    )
                _check_etag(project, id, known, etag)
                gone = ModelAlias(
                    project=project,
                    line=line,
                    alias=alias,
                    version=known.version,
                    update_time=self._clock.now(),
                    actor=current_actor(),
                )
                left = {key: one for key, one in table.aliases.items() if key != id}
                changed = AliasTable(project=project, aliases=left)
                if await self._log.append_aliases(end, changed, gone):
                    return

    async def page(
        self, project: str, page_size: int, page_token: str
    ) -> tuple[list[ModelAlias], str]:
        """Return a page of a project's aliases by name, and the token of the next page."""
        scope = f"ListModelAliases\n{project}"
        page = parse_page(page_size, page_token, scope)
        after = str(page.after[0]) if page.after else ""
        table = await self._log.aliases(project)
        found = sorted(
            [*table.aliases.values(), *await self.built_in(project)], key=lambda one: one.id
        )
        found = [one for one in found if one.id > after]
        if len(found) <= page.size:
            return found, ""
        found = found[: page.size]
        return found, next_token([found[-1].id], scope)

    async def built_in(self, project: str) -> list[ModelAlias]:
        """Return the aliases that follow a project's deployment."""
        current = await self._log.current(project)
        if current is None:
            return []
        return [alias for line in await self._lines(current) for alias in line.aliases(project)]

    async def _resolve(self, project: str, version: str) -> str:
        parts = split_alias(version)
        if parts is None:
            return version
        line, alias = parts
        found: str | None = None
        if alias in BUILT_IN:
            current = await self._log.current(project)
            for one in await self._lines(current, line) if current else ():
                found = one.champion if alias == CHAMPION else one.previous
        else:
            named = (await self._log.aliases(project)).aliases.get(version)
            found = named.version if named else None
        if not found:
            name = version_name(project, version)
            raise NotFoundError(
                Reason.MODEL_VERSION_UNKNOWN,
                f"{name} names no version: there is no such alias.",
                metadata={"resource": name},
            )
        return found

    async def _lines(self, current: Deployment, only: str = "") -> list[_Line]:
        """Return the lines that a deployment serves, or one of them, with what came before."""
        lines = {
            model.line: _Line(line=model.line, champion=model.version, since=current)
            for model in current.models
            if only in ("", model.line)
        }
        before = current.revision
        while any(not line.previous for line in lines.values()):
            batch = await self._log.revisions_before(current.project, before)
            if not batch:
                break
            for revision in batch:
                for model in revision.models:
                    if model.line in lines:
                        lines[model.line].look_at(revision, model.version)
            before = batch[-1].revision
        return [line for _, line in sorted(lines.items())]


@dataclass(kw_only=True)
class _Line:
    """What a deployment serves of one line, since when, and what it served before."""

    line: str
    champion: str
    since: Deployment
    previous: str = ""

    def look_at(self, earlier: Deployment, version: str) -> None:
        """Take note of what an earlier revision served; the newest is told first."""
        if self.previous:
            return
        if version == self.champion:
            self.since = earlier
        else:
            self.previous = version

    def aliases(self, project: str) -> list[ModelAlias]:
        """Return its built-in aliases."""
        return [
            ModelAlias(
                project=project,
                line=self.line,
                alias=alias,
                version=version,
                update_time=self.since.create_time,
                actor=self.since.actor,
                built_in=True,
            )
            for alias, version in ((CHAMPION, self.champion), (PREVIOUS, self.previous))
            if version
        ]


def _settable(id: str, field: str) -> tuple[str, str]:
    """Return line and alias of an alias that users may change."""
    parts = split_alias(id)
    if parts is None:
        raise invalid_field(field, "must end with {line}@{alias}, e.g. ner@staging.")
    line, alias = parts
    check_alias(alias, field)
    if not is_line_id(line):
        raise invalid_field(
            field, "must name a line before the '@': ner, assertion or classification_<control>."
        )
    if alias in BUILT_IN:
        raise invalid_field(field, f"{alias} is built in and follows the deployment.")
    return line, alias


def _check_etag(project: str, id: str, known: ModelAlias | None, etag: str) -> None:
    if etag and (known is None or known.etag != etag):
        raise etag_mismatch(version_name(project, id))
