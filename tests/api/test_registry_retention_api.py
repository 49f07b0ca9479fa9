"""What is kept and why, and that what goes is never needed."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from services.common.blobs import digest_of, key_of
from services.common.clock import ManualClock
from services.common.errors import Reason
from services.common.store.open import store_from_url
from services.registry.file_uses import SWEEP_SECONDS, USES_COLLECTION, FileUses
from spanloop.registry.v1 import governance_service_pb2 as governance_pb
from spanloop.registry.v1 import model_version_pb2 as mv
from spanloop.registry.v1 import registry_service_pb2 as pb
from spanloop.registry.v1.registry_policy_pb2 import RegistryPolicy, RetentionPolicy
from spanloop.registry.v1.retention_pb2 import RETENTION_DECISION_KEEP as KEEP
from tests.support.registry import (
    MODEL,
    TOKENIZER,
    RegistryClient,
    adapter_manifest,
    refused,
    registry,
    registry_settings,
    trunk_manifest,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
DAY = 86_400
GRACE = 7 * DAY
# Files have the times of the machine, which may be slow.
LATER = GRACE + 3600


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock at the time of the machine: files get their times from there."""
    return ManualClock(time.time_ns() // 1000)


@pytest.fixture
async def client(tmp_path: Path, clock: ManualClock) -> AsyncIterator[RegistryClient]:
    async with registry(tmp_path, clock) as found:
        yield found


async def made(client: RegistryClient, number: int, *, bases: tuple[str, ...] = ()) -> str:
    """Make a READY version whose adapter has a file of its own; return its name."""
    digest = await client.adapter("A", weights(number))
    version = await client.version("p", {"A": digest}, bases=bases)
    assert version.number == number
    return (await client.verify(version.name)).name


def weights(number: int) -> bytes:
    return f"weights {number}".encode() * 100


def stored(folder: Path) -> set[str]:
    """Return the digests of all files."""
    root = folder / "registry" / "artifacts" / "sha256"
    return {f"sha256:{p.parent.name}{p.name}" for p in root.rglob("*") if p.is_file()}


def kept(items: dict[str, object]) -> dict[str, list[str]]:
    """Return the versions that are kept, with their reasons."""
    return {
        name: list(item.reasons)  # type: ignore[attr-defined]
        for name, item in items.items()
        if name.startswith("ner_p") and item.decision == KEEP  # type: ignore[attr-defined]
    }


def gone(items: dict[str, object]) -> set[str]:
    return {name for name, item in items.items() if item.decision != KEEP}  # type: ignore[attr-defined]


async def test_versions_are_kept_for_reasons_and_the_rest_goes(
    client: RegistryClient, clock: ManualClock, tmp_path: Path
) -> None:
    v1, v2, v3, v4, v5, v6 = [await made(client, number) for number in range(1, 7)]
    v7 = await made(client, 7, bases=(v6,))
    await made(client, 8, bases=(v7,))
    await client.deploy(v1)
    await client.deploy(v2)
    await client.deploy(v3)
    await client.pin("p", "A", v4)
    await client.set_alias("projects/p/modelVersions/ner@gold", v5)
    await client.set_policy("p", retention=RetentionPolicy(keep_last=1, keep_revisions=2))
    items, summary = await client.retention(apply=False)
    assert all("younger than the grace period" in why for why in kept(items).values())
    assert gone(items) == set()
    assert (summary.removed_versions, summary.applied) == (0, False)
    clock.advance(LATER)
    items, summary = await client.retention(apply=False)
    assert kept(items) == {
        "ner_p_v2": ["named by ner@previous"],
        "ner_p_v3": [
            "deployed", "named by ner@champion", "served by revision 4, 3 of the deployment"
        ],
        "ner_p_v4": ["pinned for A", "served by revision 4 of the deployment"],
        "ner_p_v5": ["named by ner@gold"],
        "ner_p_v7": ["what ner_p_v8 was made from"],
        "ner_p_v8": ["one of the newest 1 of ner"],
    }  # fmt: skip
    adapters = {
        number: adapter_manifest("A", weights=weights(number)).digest for number in range(1, 9)
    }
    files = {number: digest_of(weights(number)) for number in range(1, 9)}
    assert gone(items) == {
        "ner_p_v1",
        "ner_p_v6",
        *(f"adapters/{adapters[number][7:]}" for number in (1, 6)),
        *(f"artifacts/{files[number][7:]}" for number in (1, 6)),
    }
    assert items["ner_p_v1"].size_bytes == len(weights(1))
    assert (summary.removed_versions, summary.removed_adapters, summary.removed_files) == (2, 2, 2)
    assert summary.removed_bytes == 2 * len(weights(1))
    assert summary.kept_bytes == 6 * len(weights(1)) + len(MODEL) + len(TOKENIZER)
    assert files[1] in stored(tmp_path)  # nothing was done yet
    done, applied = await client.retention()
    assert {name: item.decision for name, item in done.items()} == {
        name: item.decision for name, item in items.items()
    }
    summary.applied = True
    assert applied == summary
    assert stored(tmp_path) == {
        *(files[number] for number in (2, 3, 4, 5, 7, 8)), digest_of(MODEL), digest_of(TOKENIZER)
    }  # fmt: skip
    old = await client.get_version(v1)
    assert old.state == mv.MODEL_VERSION_STATE_RETIRED
    assert old.purge_time.seconds > 0
    assert old.adapters == {"A": adapters[1]}  # what it was stays known
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="RETIRED"):
        await client.deploy(v1)
    with refused(PRECONDITION, Reason.MODEL_VERSION_NOT_READY, state="RETIRED"):
        await client.rollback("p", revision=1)
    assert not (await client.get_version(v7)).HasField("purge_time")
    again, summary = await client.retention()
    assert gone(again) == set()
    assert (summary.removed_versions, summary.removed_files) == (0, 0)


async def test_without_a_policy_versions_stay_and_only_waste_goes(
    client: RegistryClient, clock: ManualClock, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        await made(client, number)
    waste = await client.upload(b"nobody registered this")
    lonely = await client.adapter("B", b"no version has this")
    clock.advance(LATER)
    items, summary = await client.retention()
    assert gone(items) == {
        f"artifacts/{waste[7:]}",
        f"artifacts/{digest_of(b'no version has this')[7:]}",
        f"adapters/{lonely[7:]}",
    }
    assert summary.removed_versions == 0
    assert waste not in stored(tmp_path)
    items, _ = await client.retention("projects/p", apply=False)
    assert set(kept(items)) == {"ner_p_v1", "ner_p_v2", "ner_p_v3"}
    assert kept(items)["ner_p_v1"] == ["the project has no retention policy"]
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.download(waste)


async def test_age_keeps_and_unverified_versions_go(
    client: RegistryClient, clock: ManualClock
) -> None:
    await made(client, 1)
    left = await client.version("p", {"A": await client.adapter("A", weights(9))})
    clock.advance(20 * DAY)
    await made(client, 3)
    await made(client, 4)
    clock.advance(15 * DAY)
    rules = RetentionPolicy(keep_last=1, max_age=Duration(seconds=30 * DAY))
    await client.set_policy("p", retention=rules)
    items, _ = await client.retention()
    assert kept(items) == {
        "ner_p_v3": ["younger than 30 days"],
        "ner_p_v4": ["one of the newest 1 of ner", "younger than 30 days"],
    }
    abandoned = await client.get_version(left.name)
    assert abandoned.state == mv.MODEL_VERSION_STATE_FAILED
    assert "before it was verified" in abandoned.failure_message
    with refused(PRECONDITION, Reason.STATE_CONFLICT):
        await client.verify(left.name)


async def test_trunks_go_with_the_last_that_reads_them(
    client: RegistryClient, clock: ManualClock, tmp_path: Path
) -> None:
    other = trunk_manifest(model=b"another model")
    await client.trunk(other, b"another model")
    await made(client, 1)
    clock.advance(LATER)
    items, summary = await client.retention()
    assert gone(items) == {
        f"trunks/{other.digest[7:]}",
        f"artifacts/{digest_of(b'another model')[7:]}",
    }
    assert summary.removed_trunks == 1
    assert digest_of(TOKENIZER) in stored(tmp_path)  # the other trunk has it too
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.stub.GetTrunk(pb.GetTrunkRequest(name=f"trunks/{other.digest[7:]}"))
    again = await client.trunk(other, b"another model")
    assert again.digest == other.digest


async def test_leftovers_of_broken_uploads_go(
    client: RegistryClient, clock: ManualClock, tmp_path: Path
) -> None:
    left = tmp_path / "registry" / "artifacts" / "staged" / "abc"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"torn")
    assert gone((await client.retention())[0]) == set()
    clock.advance(LATER)
    items, summary = await client.retention()
    assert gone(items) == {"uploads/abc"}
    assert (summary.removed_files, summary.removed_bytes) == (1, 4)
    assert not left.exists()


async def test_what_is_used_again_begins_its_grace_anew(
    client: RegistryClient, clock: ManualClock, tmp_path: Path
) -> None:
    digest = await client.adapter("A", weights(1))
    clock.advance(LATER)
    version = await client.version("p", {"A": digest})  # of adapters registered long ago
    items, _ = await client.retention()
    assert gone(items) == set()
    # only uploaded again, years after the file was written
    file = await client.upload(b"late")
    path = tmp_path / "registry" / "artifacts" / key_of(file)
    clock.advance(LATER)
    await client.upload(b"late")
    os.utime(path, (1, 1))
    assert gone((await client.retention())[0]) == set()
    assert await client.download(file) == b"late"
    assert (await client.get_version(version.name)).state == mv.MODEL_VERSION_STATE_REGISTERED


async def test_a_swept_file_is_refused_until_it_is_uploaded_again(
    client: RegistryClient, clock: ManualClock
) -> None:
    await client.trunk()
    await client.upload(weights(1))
    clock.advance(LATER)
    await client.retention()
    manifest = adapter_manifest("A", weights=weights(1))
    with refused(PRECONDITION, Reason.STATE_CONFLICT):
        await client.register_adapter(manifest)
    await client.trunk()
    with refused(PRECONDITION, Reason.STATE_CONFLICT, digest=digest_of(weights(1))):
        await client.register_adapter(manifest)
    await client.upload(weights(1))
    await client.register_adapter(manifest)


async def test_a_file_under_a_mark_takes_no_upload_until_the_sweep_must_be_dead(
    client: RegistryClient, clock: ManualClock, tmp_path: Path
) -> None:
    await client.trunk()
    digest = await client.upload(weights(1))
    store = store_from_url(registry_settings(tmp_path).database)
    await store.open([USES_COLLECTION])
    try:
        uses = FileUses(store)
        known = await uses.get(digest)
        mark = await uses.mark(digest, known, clock.now())
        assert mark is not None
        assert await uses.mark(digest, known, clock.now()) is None
    finally:
        await store.close()
    with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE, digest=digest):
        await client.upload(weights(1))
    with refused(PRECONDITION, Reason.STATE_CONFLICT, digest=digest):
        await client.register_adapter(adapter_manifest("A", weights=weights(1)))
    clock.advance(SWEEP_SECONDS + 1)
    await client.upload(weights(1))
    await client.register_adapter(adapter_manifest("A", weights=weights(1)))
    assert await client.download(digest) == weights(1)


async def test_policies_are_changed_by_field_and_carry_etags(client: RegistryClient) -> None:
    name = "projects/p/registryPolicy"
    read = await client.governance.GetRegistryPolicy(
        governance_pb.GetRegistryPolicyRequest(name=name)
    )
    assert read.registry_policy == RegistryPolicy(name=name)
    first = await client.set_policy("p", retention=RetentionPolicy(keep_last=3))
    assert (first.retention.keep_last, first.retention.keep_revisions) == (3, 10)
    assert not first.retention.HasField("max_age")
    assert (first.actor, first.HasField("gate")) == ("system", False)
    second = await client.set_policy(
        "p", retention=RetentionPolicy(keep_last=4, keep_revisions=5), etag=first.etag
    )
    assert second.etag != first.etag
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH, resource=name):
        await client.set_policy("p", retention=RetentionPolicy(keep_last=9), etag=first.etag)
    assert await client.set_policy(
        "p", retention=RetentionPolicy(keep_last=4, keep_revisions=5)
    ) == second  # nothing to change  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (RetentionPolicy(), "keep_last"),
        (RetentionPolicy(keep_last=10_001), "keep_last"),
        (RetentionPolicy(keep_last=1, keep_revisions=1001), "keep_revisions"),
        (RetentionPolicy(keep_last=1, keep_revisions=-1), "keep_revisions"),
        (RetentionPolicy(keep_last=1, max_age=Duration()), "max_age"),
        (RetentionPolicy(keep_last=1, max_age=Duration(seconds=-5)), "max_age"),
    ],
)
async def test_rules_out_of_range(
    client: RegistryClient, rules: RetentionPolicy, field: str
) -> None:
    with refused(INVALID, Reason.FIELD_INVALID, field=f"registry_policy.retention.{field}"):
        await client.set_policy("p", retention=rules)


async def test_fields_that_are_refused(client: RegistryClient) -> None:
    with refused(INVALID, Reason.FIELD_INVALID, field="update_mask"):
        await client.set_policy("p")
    with refused(INVALID, Reason.FIELD_INVALID, field="registry_policy.name"):
        await client.set_policy("P", retention=RetentionPolicy(keep_last=1))
    with refused(INVALID, Reason.FIELD_INVALID, field="parent"):
        await client.retention("projects")
