"""Training jobs survive the death of every process and end exactly once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import psutil
import pytest

from services.common.channels import PeerSettings, open_peer
from services.common.errors import Reason
from spanloop.registry.v1.model_version_pb2 import ModelVersionState
from spanloop.trainer.v1 import trainer_service_pb2 as pb
from spanloop.trainer.v1.training_job_pb2 import TrainingFailureReason
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, log_lines, running_loop, state_of


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


class Process:
    """A trainer in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, client: TrainerClient) -> None:
        self.process = process
        self.client = client

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def trainer_process(loop: Loop, **fields: object) -> AsyncIterator[Process]:
    port_file = loop.data / "trainer.port"
    port_file.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.trainer_server",
        str(loop.control),
        env={**os.environ, **loop.environment(port_file=port_file, **fields)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            while not port_file.exists():
                assert process.returncode is None
                await asyncio.sleep(0.05)
        token = (loop.data / "token").read_text().strip()
        peer = PeerSettings(address=port_file.read_text().strip(), token=token)
        async with open_peer(peer) as channel:
            yield Process(process, TrainerClient(channel))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def ready(version: int) -> bool:
    return version == ModelVersionState.MODEL_VERSION_STATE_READY


async def test_a_killed_child_resumes_and_one_version_appears(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(epochs=4, hold=2)
    async with loop.trainer(lease_seconds=60) as (client, _):
        job = await client.create(snapshot)
        pid = await loop.child_pid()
        await client.until(job.name, lambda job: job.progress.epoch == 2)
        loop.control_child(pid=None)
        os.kill(pid, signal.SIGKILL)
        # long before the lease would have run out
        await client.until(job.name, lambda job: job.attempt == 2)
        loop.control_child(hold=None)
        messages = await client.watch(job.name)
        done = await client.get(job.name)
    assert (state_of(done), done.attempt) == ("DONE", 2)
    assert loop.trace() == [1, 2, 3, 4]
    assert [epoch.epoch for epoch in done.epochs] == [1, 2, 3, 4]
    versions = await loop.versions()
    assert [version.name for version in versions] == [done.model_version]
    lines = log_lines(messages)
    assert [sequence for sequence, _ in lines] == list(range(1, len(lines) + 1))
    assert any("SIGKILL" in text for _, text in lines)
    assert any("resumed after epoch 2" in text for _, text in lines)


async def test_a_killed_server_resumes_at_once_after_its_restart(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(epochs=4, hold=2)
    async with trainer_process(loop, lease_seconds=300) as first:
        job = await first.client.create(snapshot, request_id="r")
        child = await loop.child_pid()
        await first.client.until(job.name, lambda job: job.progress.epoch == 2)
        await first.kill()
    # an orphan would compute for nobody, and on the files of its successor
    await gone(child)
    loop.control_child(hold=None)
    async with trainer_process(loop, lease_seconds=300) as second:
        done = await second.client.end(job.name)
        assert (await second.client.create(snapshot, request_id="r")).name == job.name
    assert (state_of(done), done.attempt) == ("DONE", 2)
    assert loop.trace() == [1, 2, 3, 4]
    assert [version.name for version in await loop.versions()] == [done.model_version]


async def test_a_stopped_server_gives_its_job_back(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(epochs=4, hold=2)
    async with trainer_process(loop, lease_seconds=300) as first:
        job = await first.client.create(snapshot)
        child = await loop.child_pid()
        await first.client.until(job.name, lambda job: job.progress.epoch == 2)
        first.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await first.process.wait() == 0
    await gone(child)
    async with loop.trainer(workers=0) as (client, _):
        waiting = await client.get(job.name)
        assert (state_of(waiting), waiting.attempt, waiting.worker) == ("WAITING", 0, "")
    loop.control_child(hold=None)
    async with loop.trainer() as (client, _):
        done = await client.end(job.name)
    assert (state_of(done), done.attempt) == ("DONE", 1)
    assert loop.trace() == [1, 2, 3, 4]


async def test_another_trainer_takes_over_an_expired_lease(loop: Loop, tmp_path: Path) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(epochs=4, hold=2)
    database = f"sqlite:///{tmp_path}/shared.db"
    async with trainer_process(loop, lease_seconds=1, database_url=database) as paused:
        job = await paused.client.create(snapshot)
        await loop.child_pid()
        await paused.client.until(job.name, lambda job: job.progress.epoch == 2)
        held = await paused.client.get(job.name)
        paused.process.send_signal(signal.SIGSTOP)
        other = loop.data.parent / "other"
        other.mkdir()
        (other / "token").write_text((loop.data / "token").read_text())
        (other / "token").chmod(0o600)
        loop.control_child(hold=None)
        async with loop.trainer(data_dir=other, lease_seconds=1, database_url=database) as (
            client,
            _,
        ):
            done = await client.end(job.name)
            assert (state_of(done), done.attempt) == ("DONE", 2), done.failure
            assert held.worker
            # the paused one wakes up, finds that the job is no longer its own, and changes nothing
            paused.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(1.5)
            assert await client.get(job.name) == done
    assert [version.name for version in await loop.versions()] == [done.model_version]


async def test_a_registry_that_comes_back_is_waited_for(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(hold="evaluating")
    async with loop.trainer(peer_retry_seconds=30) as (client, _):
        job = await client.create(snapshot)
        await client.until(job.name, lambda job: state_of(job) == "EVALUATING")
        await loop.stop_registry()
        loop.control_child(hold=None)
        async with asyncio.timeout(20):
            call = client.stub.WatchTrainingJob(pb.WatchTrainingJobRequest(name=job.name))
            async for message in call:
                if "Trying again" in message.log_line.message:
                    break
            call.cancel()
        await loop.start_registry()
        done = await client.end(job.name)
    assert state_of(done) == "DONE", done.failure


async def test_a_registry_that_stays_away_fails_the_job(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(hold="evaluating")
    async with loop.trainer(peer_retry_seconds=0.5) as (client, _):
        job = await client.create(snapshot)
        await client.until(job.name, lambda job: state_of(job) == "EVALUATING")
        await loop.stop_registry()
        loop.control_child(hold=None)
        failed = await client.end(job.name)
        # kept for inspection
        assert (loop.data / "trainer" / "jobs" / job.name.split("/")[-1] / "result.json").exists()
    assert state_of(failed) == "FAILED"
    assert failed.failure.reason == TrainingFailureReason.TRAINING_FAILURE_REASON_PEER_FAILED
    assert "registry" in failed.failure.message
    await loop.start_registry()
    assert await loop.versions() == []


@pytest.mark.parametrize("state", ["WAITING", "TRAINING", "EVALUATING", "REGISTERING"])
async def test_a_job_can_be_cancelled_in_every_state(loop: Loop, state: str) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(hold=2 if state == "TRAINING" else "evaluating")
    workers = 0 if state == "WAITING" else 1
    async with loop.trainer(workers=workers, peer_retry_seconds=30) as (client, _):
        job = await client.create(snapshot)
        if state == "REGISTERING":
            await client.until(job.name, lambda job: state_of(job) == "EVALUATING")
            await loop.stop_registry()
            loop.control_child(hold=None)
        await client.until(job.name, lambda job: state_of(job) == state)
        if state in ("TRAINING", "EVALUATING"):
            child = await loop.child_pid()
        assert (await client.cancel(job.name)).cancel_requested
        ended = await client.end(job.name)
        assert state_of(ended) == "CANCELLED"
        if state in ("TRAINING", "EVALUATING"):
            await gone(child)
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
            await client.cancel(job.name)
        # the worker is free again
        loop.control_child(hold=None)
        if state == "REGISTERING":
            await loop.start_registry()
        assert await loop.versions() == []
        if state != "WAITING":
            again = await client.end((await client.create(snapshot)).name)
            assert state_of(again) == "DONE", again.failure
            await loop.tidied()


async def test_what_was_computed_is_published_after_a_crash(loop: Loop) -> None:
    """The server dies while it registers: training is not repeated."""
    snapshot = await loop.snapshot()
    loop.control_child(hold="evaluating")
    async with trainer_process(loop, lease_seconds=300, peer_retry_seconds=60) as first:
        job = await first.client.create(snapshot)
        await first.client.until(job.name, lambda job: state_of(job) == "EVALUATING")
        await loop.stop_registry()
        loop.control_child(hold=None)
        await first.client.until(job.name, lambda job: state_of(job) == "REGISTERING")
        await first.kill()
    await loop.start_registry()
    async with trainer_process(loop, lease_seconds=300) as second:
        done = await second.client.end(job.name)
    assert state_of(done) == "DONE", done.failure
    # nothing was trained a second time
    assert loop.trace() == [1, 2, 3]
    (version,) = await loop.versions()
    assert version.name == done.model_version
    assert ready(version.state)


def second_home(loop: Loop) -> Path:
    """Return a data directory for another trainer, with the same token."""
    other = loop.data.parent / "other"
    other.mkdir()
    (other / "token").write_text((loop.data / "token").read_text())
    (other / "token").chmod(0o600)
    return other


@pytest.mark.parametrize("moment", ["fetching", "export", "training", "evaluating", "upload"])
async def test_a_cancel_asked_of_another_process_is_seen_at_any_moment(
    loop: Loop, moment: str
) -> None:
    """Not at the next renewal of the lease, which is minutes away here."""
    snapshot = await loop.snapshot()
    # A child in the middle of anything does not listen; it is killed.
    holds = {"export": "export", "training": 2, "evaluating": "evaluating"}
    loop.control_child(hold=holds.get(moment, "evaluating"))
    shared = {
        "database_url": f"sqlite:///{loop.data.parent}/shared.db",
        "lease_seconds": 600,
        "peer_retry_seconds": 600,
    }
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # It accepts connections and never says a word.
        host, port = silent.getsockname()
        deaf = {"annotation_address": f"{host}:{port}"} if moment == "fetching" else {}
        async with (
            loop.trainer(workers=0, data_dir=second_home(loop), **shared) as (api, _),
            loop.trainer(**shared, **deaf),
        ):
            job = await api.create(snapshot)
            if moment == "fetching":
                await api.until(job.name, lambda job: job.attempt == 1)
            elif moment == "upload":
                await api.until(job.name, lambda job: state_of(job) == "EVALUATING")
                await loop.stop_registry()
                loop.control_child(hold=None)
                await api.until(job.name, lambda job: state_of(job) == "REGISTERING")
            else:
                child = await loop.child_pid()
                if moment != "export":
                    await api.until(job.name, lambda job: job.progress.epoch > 1)
            await api.cancel(job.name)
            assert state_of(await api.end(job.name)) == "CANCELLED"
            if moment in holds:
                await gone(child)
    if moment == "upload":
        await loop.start_registry()
    assert await loop.versions() == []


async def test_a_log_goes_on_behind_its_token_after_a_crash(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(epochs=4, hold=2)
    async with trainer_process(loop, lease_seconds=300) as first:
        job = await first.client.create(snapshot)
        seen = []
        call = first.client.stub.WatchTrainingJob(pb.WatchTrainingJobRequest(name=job.name))
        async for message in call:
            seen.append(message)
            if message.log_line.message == "epoch 2":
                break
        call.cancel()
        await first.kill()
    loop.control_child(hold=None)
    async with trainer_process(loop, lease_seconds=300) as second:
        rest = await second.client.watch(job.name, seen[-1].resume_token)
        whole = log_lines(await second.client.watch(job.name))
    assert log_lines(seen) + log_lines(rest) == whole
    assert [sequence for sequence, _ in whole] == list(range(1, len(whole) + 1))
    assert state_of(rest[-1].training_job) == "DONE"
    # progress never falls within an attempt
    for attempt in (1, 2):
        shown = [
            message.training_job.progress.fraction
            for message in (*seen, *rest)
            if message.training_job.attempt == attempt
        ]
        assert shown == sorted(shown)


async def test_many_jobs_on_several_trainers_run_once_each_though_one_is_killed(
    loop: Loop,
) -> None:
    snapshots = [await loop.snapshot(f"p{index}") for index in range(3)]
    loop.control_child(epochs=2)
    shared = {
        "database_url": f"sqlite:///{loop.data.parent}/shared.db",
        "lease_seconds": 2,
        "workers": 2,
        "cpu_slots": 2,
        "max_attempts": 10,
    }
    async with (
        loop.trainer(data_dir=second_home(loop), **shared) as (client, _),
        trainer_process(loop, **shared) as killed,
    ):
        jobs = [await client.create(snapshot) for snapshot in snapshots for _ in range(3)]
        # The second trainer dies while it holds something.
        holder = None
        async with asyncio.timeout(40):
            while holder is None:
                held = [await client.get(job.name) for job in jobs]
                mine = (loop.data / "trainer" / "worker_id").read_text()
                holder = next((job for job in held if job.worker.endswith(mine)), None)
                await asyncio.sleep(0.02)
        await killed.kill()
        ended = [await client.end(job.name) for job in jobs]
    assert {state_of(job) for job in ended} == {"DONE"}
    versions = [version for n in range(3) for version in await loop.versions(f"p{n}")]
    assert sorted(version.name for version in versions) == sorted(j.model_version for j in ended)
    assert len({job.model_version for job in ended}) == len(jobs) == 9
    assert all(ready(version.state) for version in versions)
