"""Adapters, trunks and files that nothing refers to: found, then deleted.

Adapters go before trunks and both before files: what refers goes before what it refers to, so
nothing that is left ever lacks a file, whenever a sweep dies. What was used since it was looked at
stays, with all that it refers to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from services.common.blobs import BlobStore, StoredObject
from services.common.call import check_deadline, current_actor
from services.common.errors import Reason, UnavailableError
from services.registry.artifact_repository import ArtifactDocuments, Kept
from services.registry.deployment_log import DeploymentLog
from services.registry.domain import Adapter, ModelVersion, Trunk, hex_of
from services.registry.file_uses import SWEEP_SECONDS, FileUse, FileUses
from services.registry.grace import Grace
from services.registry.retention import Item, References, references, total_size

RACED = ("used while this run went on",)
_UNUSED = ("nothing uses it, and nobody did within the grace period",)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What of the artifacts goes, and an item for each that stays.

    Attributes:
        kept: What stays.
        adapters, trunks, files: What goes, as it was found.
        forgotten: What is known of files that are not there any more.
    """

    kept: list[Item] = field(default_factory=list)
    adapters: list[tuple[Kept[Adapter], Item]] = field(default_factory=list)
    trunks: list[tuple[Kept[Trunk], Item]] = field(default_factory=list)
    files: list[tuple[StoredObject, FileUse | None, Item]] = field(default_factory=list)
    forgotten: list[FileUse] = field(default_factory=list)

    def items(self) -> Iterator[tuple[Item, str]]:
        """Yield the item of each thing that goes, with its kind."""
        for _, item in self.adapters:
            yield item, "adapters"
        for _, item in self.trunks:
            yield item, "trunks"
        for _, _, item in self.files:
            yield item, "files"


class Sweeper:
    """Finds and deletes artifacts that nothing refers to."""

    def __init__(
        self,
        artifacts: ArtifactDocuments,
        uses: FileUses,
        blobs: BlobStore,
        log: DeploymentLog,
        grace: Grace,
    ) -> None:
        """Use the given stores."""
        self._artifacts = artifacts
        self._uses = uses
        self._blobs = blobs
        self._log = log
        self._grace = grace

    async def plan(
        self,
        versions: Collection[ModelVersion],
        given_up: Collection[str],
        sizes: Mapping[str, int],
    ) -> Plan:
        """Decide about artifacts.

        Args:
            versions: All versions of all projects, read before this is called.
            given_up: Names of those whose artifacts are not wanted any more.
            sizes: Of files, by digest.
        """
        over, plan = self._grace.over(), Plan()
        in_adapters, in_trunks = references(versions, given_up)
        in_files = References()
        for adapter in await self._artifacts.all_adapters():
            name = f"adapters/{hex_of(adapter.value.digest)}"
            item = self._item(adapter, name, in_adapters, sizes)
            if item.keep:
                plan.kept.append(item)
                in_trunks.add([adapter.value.trunk_digest], name)
                in_files.add(set(adapter.value.files.values()), name)
            else:
                plan.adapters.append((adapter, item))
        for trunk in await self._artifacts.all_trunks():
            name = f"trunks/{hex_of(trunk.value.digest)}"
            item = self._item(trunk, name, in_trunks, sizes)
            if item.keep:
                plan.kept.append(item)
                in_files.add(set(trunk.value.files.values()), name)
            else:
                plan.trunks.append((trunk, item))
        uses = {use.digest: use for use in await self._uses.all()}
        for stored in await self._blobs.list():
            use = uses.pop(stored.digest, None) if stored.digest else None
            used = max(stored.modified, use.time if use and not use.sweeping else 0)
            reasons = in_files.reasons(stored.digest, used, over)
            if use and use.sweeping:
                reasons = ()
            item = Item(
                resource=f"artifacts/{hex_of(stored.digest)}"
                if stored.digest
                else f"uploads/{stored.key.rpartition('/')[2]}",
                keep=bool(reasons),
                reasons=reasons or _UNUSED,
                size=stored.size,
                create_time=stored.modified,
            )
            if item.keep:
                plan.kept.append(item)
            else:
                plan.files.append((stored, use, item))
        plan.forgotten.extend(use for use in uses.values() if use.sweeping or use.time < over)
        return plan

    def _item(
        self,
        kept: Kept[Adapter] | Kept[Trunk],
        name: str,
        users: References,
        sizes: Mapping[str, int],
    ) -> Item:
        reasons = users.reasons(kept.value.digest, kept.used, self._grace.over())
        return Item(
            resource=name,
            keep=bool(reasons),
            reasons=reasons or _UNUSED,
            size=total_size(kept.value.files.values(), sizes),
            create_time=kept.value.create_time,
        )

    async def carry_out(self, plan: Plan) -> AsyncIterator[tuple[Item, str]]:
        """Delete what goes; yield the item of each with its kind when it is done."""
        await self._note(plan)
        needed: set[str] = set()
        for adapter, item in plan.adapters:
            check_deadline()
            done = await self._artifacts.remove_adapter(adapter)
            if not done:
                needed |= {adapter.value.trunk_digest, *adapter.value.files.values()}
            yield _told(item, done), "adapters"
        for trunk, item in plan.trunks:
            check_deadline()
            done = trunk.value.digest not in needed and await self._artifacts.remove_trunk(trunk)
            if not done:
                needed |= set(trunk.value.files.values())
            yield _told(item, done), "trunks"
        for stored, use, item in plan.files:
            check_deadline()
            done = stored.digest not in needed and await self._sweep(stored, use)
            yield _told(item, done), "files"
        for use in plan.forgotten:
            await self._uses.forget(use)

    async def _note(self, plan: Plan) -> None:
        """Write down what is about to be deleted."""
        if not (plan.adapters or plan.trunks or plan.files):
            return
        counts = {
            "adapters": len(plan.adapters),
            "trunks": len(plan.trunks),
            "files": len(plan.files),
            "bytes": sum(item.size for _, _, item in plan.files),
        }
        while not await self._log.append_run(
            await self._log.end(), counts, self._grace.now(), current_actor()
        ):
            check_deadline()

    async def _sweep(self, stored: StoredObject, use: FileUse | None) -> bool:
        """Delete one file; False when it was used since it was looked at."""
        if not stored.digest:  # what an upload that broke off left behind: nobody can refer to it
            await self._blobs.delete(stored.key)
            return True
        mark = await self._uses.mark(stored.digest, use, self._grace.now())
        if mark is None:
            return False
        # An upload takes a mark that is older than this for one of a dead sweep.
        try:
            async with asyncio.timeout(SWEEP_SECONDS / 2):
                await self._blobs.delete(stored.key)
        except TimeoutError as error:
            raise UnavailableError(
                Reason.STORE_UNAVAILABLE, "The artifact store did not answer in time."
            ) from error
        await self._uses.forget(mark)
        return True


def _told(item: Item, done: bool) -> Item:
    return item if done else replace(item, keep=True, reasons=RACED)
