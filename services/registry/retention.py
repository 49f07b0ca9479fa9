"""What is kept and why. Pure: from what there is to a decision about each thing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.registry.domain import ModelVersion
from services.registry.pointers import Deployment, ModelAlias
from services.registry.policy import Policy
from services.registry.trial import Trial

_MAX_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Item:
    """What becomes of one thing.

    Attributes:
        resource: Its name.
        keep: Whether it stays.
        reasons: Why.
        size: Bytes.
        create_time: Microseconds UTC.
    """

    resource: str
    keep: bool
    reasons: tuple[str, ...]
    size: int
    create_time: int


@dataclass(frozen=True, kw_only=True)
class Pointers:
    """What points at versions of a project.

    Attributes:
        current: What is served.
        revisions: The newest revisions that Rollback must be able to restore.
        aliases: All of them, built-in ones too.
        trial: The newest trial.
    """

    current: Deployment | None = None
    revisions: Sequence[Deployment] = ()
    aliases: Sequence[ModelAlias] = ()
    trial: Trial | None = None

    def reasons(self) -> dict[str, list[str]]:
        """Return why versions must be kept, whatever the policy says, by their ids."""
        found: dict[str, list[str]] = {}
        if self.current is not None:
            for model in self.current.models:
                found.setdefault(model.version, []).append("deployed")
            for pin in self.current.pins:
                found.setdefault(pin.version, []).append(f"pinned for {pin.label}")
        for alias in self.aliases:
            found.setdefault(alias.version, []).append(f"named by {alias.id}")
        if self.trial is not None and self.trial.running:
            found.setdefault(self.trial.candidate.version, []).append(f"tried by {self.trial.name}")
        restorable: dict[str, list[int]] = {}
        for revision in self.revisions:
            for version in revision.versions:
                restorable.setdefault(version, []).append(revision.revision)
        for version, revisions in restorable.items():
            found.setdefault(version, []).append(
                f"served by revision {_named(sorted(revisions, reverse=True))} of the deployment"
            )
        return found


def judge_versions(
    policy: Policy, versions: Iterable[ModelVersion], pointers: Pointers, now: int, unused: int
) -> dict[str, list[str]]:
    """Return for each version of a project why it is kept; nothing: its artifacts may go.

    Args:
        policy: The project's.
        versions: All versions whose artifacts are kept yet.
        pointers: What points at them.
        now: Microseconds UTC.
        unused: What was made after this is in its grace period.
    """
    rules = policy.retention
    ordered = sorted(versions, key=lambda one: (one.number, one.replacement), reverse=True)
    reasons: dict[str, list[str]] = {one.id: [] for one in ordered}
    for version, found in pointers.reasons().items():
        if version in reasons:
            reasons[version] += found
    counts: dict[str, int] = {}
    for one in ordered:
        why = reasons[one.id]
        counts[one.line] = counts.get(one.line, 0) + 1
        if rules is None:
            why.append("the project has no retention policy")
            continue
        if counts[one.line] <= rules.keep_last:
            why.append(f"one of the newest {rules.keep_last} of {one.line}")
        if rules.max_age is not None and one.create_time > now - rules.max_age:
            why.append(f"younger than {rules.max_age / 86_400e6:g} days")
        if one.create_time > unused:
            why.append("younger than the grace period")
    # Of what is kept for a reason of its own: else every version would keep the one before it,
    # and a project that trains on and on could never let go of any.
    bases: dict[str, list[str]] = {}
    for one in ordered:
        if reasons[one.id]:
            for name in one.lineage.base_model_versions:
                bases.setdefault(name.rpartition("/")[2], []).append(one.id)
    for version, made in bases.items():
        if version in reasons:
            reasons[version].append(f"what {_named(made)} was made from")
    return reasons


@dataclass(kw_only=True)
class References:
    """Who refers to which artifacts, by digest: names to show, and how many more there are."""

    by_digest: dict[str, list[str]] = field(default_factory=dict)

    def add(self, digests: Collection[str], name: str) -> None:
        """Take note that `name` refers to all of these."""
        for digest in digests:
            self.by_digest.setdefault(digest, []).append(name)

    def reasons(self, digest: str, used: int, unused: int) -> tuple[str, ...]:
        """Return why an artifact is kept.

        Args:
            digest: The artifact.
            used: When it was made or used last.
            unused: What was used after this is in its grace period.
        """
        found = []
        if names := self.by_digest.get(digest):
            found.append(f"used by {_named(names)}")
        if used > unused:
            found.append("uploaded, registered or used within the grace period")
        return tuple(found)


def references(
    versions: Iterable[ModelVersion], given_up: Collection[str]
) -> tuple[References, References]:
    """Return who refers to adapters and to trunks.

    Args:
        versions: All versions.
        given_up: Names of those that do not count any more.
    """
    adapters, trunks = References(), References()
    for version in versions:
        if version.purge_time is None and version.name not in given_up:
            adapters.add(set(version.adapters.values()), version.name)
            trunks.add([version.trunk_digest], version.name)
    return adapters, trunks


def total_size(files: Iterable[str], sizes: Mapping[str, int]) -> int:
    """Return the bytes of files, each counted once."""
    return sum(sizes.get(digest, 0) for digest in set(files))


def _named(names: Sequence[object]) -> str:
    """Return some names, and how many there are besides."""
    shown = ", ".join(str(name) for name in names[:_MAX_NAMED])
    rest = len(names) - _MAX_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
