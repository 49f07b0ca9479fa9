"""The Open Inference Protocol on a real server: the stock tritonclient, and what it cannot send."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from grpc import aio

from services.common.blobs import key_of
from services.common.errors import Reason
from services.common.modeling.manifest import ADAPTER_FILE
from services.common.server import RunningServer
from services.inference.bootstrap import build
from services.inference.engine.worker import EngineThreads
from services.inference.oip.metadata import OUTPUT_NAMES
from services.inference.oip.tensors import pack_bytes, unpack_bytes
from spanloop.common.v1 import text_pb2
from spanloop.inference.oip.v2 import open_inference_service_pb2 as pb
from spanloop.inference.oip.v2 import open_inference_service_pb2_grpc
from tests.support import client_channel, running
from tests.support.inference import (
    STATUSES,
    TEXT,
    InferenceClient,
    deploy,
    golden,
    inference_settings,
    publish,
    registry_at,
    tiny_adapter,
    tiny_assertion,
    tiny_pooled,
    until,
)
from tests.support.registry import RegistryClient, refused
from tests.support.scripted_registry import scripted_registry

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "tests" / "support" / "triton_client.py"
PARTY, DATE = tiny_adapter("PARTY"), tiny_adapter("DATE")
TONE = tiny_pooled("tone")
TEXTS = [TEXT, "", "Zoë paid €5 to 東京 Ltd. 👍🏽 on 3 March"]


class Triton:
    """The stock client in its process; keeps what was said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.session: list[tuple[str, Any]] = []

    async def say(self, method: str, *, anonymous: bool = False, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        call = {"method": method, "arguments": arguments, "anonymous": anonymous}
        self._process.stdin.write(json.dumps(call).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        assert line, "the client's process died"
        reply = json.loads(line)
        self.session.append((method, reply))
        return reply

    async def ok(self, method: str, **arguments: Any) -> Any:
        reply = await self.say(method, **arguments)
        assert "result" in reply, reply
        return reply["result"]

    async def fails(self, status: str, says: str, method: str, **arguments: Any) -> None:
        reply = await self.say(method, **arguments)
        assert reply.get("status") == f"StatusCode.{status}", reply
        assert says in reply["message"], reply

    async def infer(self, *texts: str, model: str = "p", **arguments: Any) -> Any:
        inputs = {"text": list(texts), **arguments.pop("inputs", {})}
        return await self.ok("infer", model_name=model, inputs=inputs, **arguments)


@asynccontextmanager
async def triton(kind: str, server: RunningServer) -> AsyncIterator[Triton]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-W", "error", str(CLIENT)),
        *(kind, server.address, server.token),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        yield Triton(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            raise


@asynccontextmanager
async def stack(
    folder: Path, **fields: object
) -> AsyncIterator[tuple[RegistryClient, RunningServer, InferenceClient, Open]]:
    async with registry_at(folder) as (registry, address):
        settings = inference_settings(folder, address, **fields)
        async with running(settings, build) as server, client_channel(server) as channel:
            yield registry, server, InferenceClient(channel), Open(channel)


class Open:
    """Our own stub, for what the stock client cannot send."""

    def __init__(self, channel: aio.Channel) -> None:
        self.stub = open_inference_service_pb2_grpc.GRPCInferenceServiceStub(channel)

    async def infer(self, texts: list[str], model: str = "p") -> pb.ModelInferResponse:
        request = pb.ModelInferRequest(
            model_name=model, raw_input_contents=[pack_bytes(text.encode() for text in texts)]
        )
        request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)])
        return await self.stub.ModelInfer(request)

    async def load(self, model: str = "p") -> None:
        await self.stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=model))

    async def unload(self, model: str = "p") -> None:
        await self.stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=model))

    async def index(self) -> list[tuple[str, str, str]]:
        answer = await self.stub.RepositoryIndex(pb.RepositoryIndexRequest())
        return [(row.name, row.version, row.state) for row in answer.models]


@pytest.mark.parametrize("kind", ["sync", "aio"])
async def test_a_whole_session_of_the_stock_client(tmp_path: Path, kind: str) -> None:
    async with stack(tmp_path) as (registry, server, ours, _), triton(kind, server) as client:
        # A server without models.
        assert await client.ok("is_server_live") is True
        assert await client.ok("is_server_ready") is True
        assert (await client.say("is_server_live", anonymous=True))["result"] is True
        metadata = await client.ok("get_server_metadata")
        assert metadata["name"] == "spanloop"
        assert metadata["extensions"] == ["model_repository", "model_configuration"]
        assert await client.ok("get_model_repository_index") == {}
        assert await client.ok("is_model_ready", model_name="p") is False
        unknown = "Model 'p' does not exist: models are projects with a deployment"
        for method in ("get_model_metadata", "get_model_config", "unload_model"):
            await client.fails("NOT_FOUND", unknown, method, model_name="p")
        await client.fails("FAILED_PRECONDITION", "deploy", "load_model", model_name="p")

        # A model.
        first = await deploy(registry, "p", [PARTY, DATE])
        await ours.ready(1)
        assert await client.ok("is_model_ready", model_name="p") is True
        assert await client.ok("is_model_ready", model_name="p", model_version="1") is True
        assert await client.ok("is_model_ready", model_name="p", model_version="2") is False
        metadata = await client.ok("get_model_metadata", model_name="p")
        assert (metadata["versions"], metadata["platform"]) == (["1"], "spanloop")
        assert metadata["inputs"][0] == {"name": "text", "datatype": "BYTES", "shape": ["-1"]}
        assert [output["name"] for output in metadata["outputs"]] == list(OUTPUT_NAMES)
        config = (await client.ok("get_model_config", model_name="p"))["config"]
        assert config["version_policy"] == {"latest": {"num_versions": 1}}
        assert [one.get("optional", False) for one in config["input"]] == [False, True, True]
        assert config["output"][4] == {"name": "score", "data_type": "TYPE_FP64", "dims": ["-1"]}
        index = await client.ok("get_model_repository_index")
        assert index == {"models": [{"name": "p", "version": "1", "state": "READY"}]}

        # Answers are those of Predict.
        found = await client.infer(*TEXTS, request_id="r1")
        assert (found["model"], found["version"], found["id"]) == ("p", "1", "r1")
        assert found["parameters"] == {"generation": "projects/p/generations/1"}
        expected = await ours.predict(TEXTS)
        columns = found["outputs"]
        assert list(columns) == list(OUTPUT_NAMES)
        assert rows_of(columns) == [
            (row, span.start, span.end, span.label, span.score)
            for row, prediction in enumerate(expected.predictions)
            for span in prediction.spans
        ]
        assert len(columns["row"]) > 3
        assert set(columns["model_version"]) == {first}
        assert columns["choice_row"] == []

        # What is wanted, and only that, in the wanted order.
        found = await client.infer(
            *TEXTS,
            inputs={"labels": ["DATE"]},
            outputs=["score", "label"],
            parameters={"min_score": 0.5, "top_n": 1},
        )
        assert list(found["outputs"]) == ["score", "label"]
        assert set(found["outputs"]["label"]) == {"DATE"}
        assert min(found["outputs"]["score"]) >= 0.5
        found = await client.infer(TEXTS[2], parameters={"offset_encoding": "utf8"})
        wanted = await ours.predict(TEXTS[2], offset_encoding=text_pb2.TEXT_OFFSET_ENCODING_UTF8)
        assert found["outputs"]["end"] == [span.end for span in wanted.predictions[0].spans]

        # Refusals.
        def bad(inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
            return {"method": "infer", "model_name": "p", "inputs": inputs, **more}

        numbers = {"text": {"values": [1, 2], "numpy": "<i8", "datatype": "INT64"}}
        await client.fails("INVALID_ARGUMENT", "text: has datatype 'INT64'", **bad(numbers))
        broken = {"text": ["fine", {"hex": "61ff"}]}
        await client.fails("INVALID_ARGUMENT", "text[1]: is not UTF-8 at byte 1", **bad(broken))
        label = {"text": ["a"], "labels": ["DATE", "NOPE"]}
        await client.fails(
            "INVALID_ARGUMENT",
            "labels[1]: 'NOPE' is not served; there are: DATE, PARTY.",
            **bad(label),
        )
        text = {"text": ["a"]}
        await client.fails(
            "INVALID_ARGUMENT", "outputs: 'spans' is unknown", **bad(text, outputs=["spans"])
        )
        await client.fails(
            "INVALID_ARGUMENT", "'timeout' is not taken", **bad(text, timeout=5_000_000)
        )
        await client.fails(
            "INVALID_ARGUMENT", "model_version: 'x' is no version", **bad(text, model_version="x")
        )
        await client.fails("NOT_FOUND", "has no version 7", **bad(text, model_version="7"))
        reply = await client.say("get_server_metadata", anonymous=True)
        assert reply["status"] == "StatusCode.UNAUTHENTICATED"
        for method in ("get_inference_statistics", "get_trace_settings", "get_log_settings"):
            await client.fails("UNIMPLEMENTED", "no method /inference", method)

        # Versions: the newest alone answers.
        second = await deploy(registry, "p", [tiny_adapter("PARTY", seed=2), DATE])
        await ours.ready(2)
        assert (await client.infer(TEXT))["version"] == "2"
        found = await client.infer(TEXT, model_version="2")
        assert set(found["outputs"]["model_version"]) == {second}
        await client.fails("NOT_FOUND", "has no version 1", **bad(text, model_version="1"))

        # The repository.
        await client.ok("unload_model", model_name="p")
        assert await client.ok("is_model_ready", model_name="p") is False
        index = await client.ok("get_model_repository_index")
        assert index == {"models": [{"name": "p", "state": "UNAVAILABLE", "reason": "unloaded"}]}
        await client.fails("FAILED_PRECONDITION", "unloaded from this server", **bad(text))
        await client.ok("load_model", model_name="p")
        assert (await client.infer(TEXT))["version"] == "2"
        await client.ok("load_model", model_name="p")  # serves already
        await client.fails(
            "INVALID_ARGUMENT", "'config' is not taken", "load_model", model_name="p", config="{}"
        )
        methods = {method for method, _ in client.session}
        assert len(methods) == 13


def rows_of(columns: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    names = ("row", "start", "end", "label", "score")
    return list(zip(*(columns[name] for name in names), strict=True))


async def test_choices_and_statuses_are_columns(tmp_path: Path) -> None:
    async with scripted_registry() as (registry, address):
        registry.deploy(*map(registry.version, ([PARTY], [TONE], [tiny_assertion()])))
        settings = inference_settings(tmp_path, address)
        async with (
            running(settings, build) as server,
            client_channel(server) as channel,
            triton("sync", server) as client,
        ):
            ours = InferenceClient(channel)
            await ours.ready(registry.deployment.revision)
            await check_types(client, ours)


async def check_types(client: Triton, ours: InferenceClient) -> None:
    found = await client.infer(TEXT, "Ada")
    expected = await ours.predict([TEXT, "Ada"])
    columns = found["outputs"]
    names = ("row", "control", "value", "score", "chosen", "model_version")
    generation = expected.generation
    assert list(zip(*(columns[f"choice_{name}"] for name in names), strict=True)) == [
        (
            *(row, choice.control, choice.value, choice.score, choice.chosen),
            generation.choice_model_versions["tone"],
        )
        for row, prediction in enumerate(expected.predictions)
        for choice in prediction.choices
    ]
    assert found["datatypes"]["choice_chosen"] == "BOOL"
    assert sum(columns["choice_chosen"]) == 2
    statuses = [span.assertion for one in expected.predictions for span in one.spans]
    assert columns["assertion"] == statuses
    assert set(statuses) <= set(STATUSES)
    version = found["parameters"]["assertion_model_version"]
    assert version == generation.assertion_model_version
    found = await client.infer(TEXT, inputs={"labels": ["PARTY"], "controls": ["tone"]})
    assert len(found["outputs"]["choice_row"]) == 3


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Hold every batch until it is set."""
    event = asyncio.Event()
    run = EngineThreads.run_batch

    async def held(threads: EngineThreads, work: Callable[[], T]) -> T:
        await event.wait()
        return await run(threads, work)

    monkeypatch.setattr(EngineThreads, "run_batch", held)
    return event


async def under_way(ours: InferenceClient, request: asyncio.Task[Any]) -> None:
    """Wait until a request has its generation."""

    async def begun() -> bool:
        assert not request.done()
        return any(item.active_requests for item in (await ours.state()).generations)

    await until(begun)


async def test_unloading_lets_requests_under_way_finish(
    tmp_path: Path, gate: asyncio.Event
) -> None:
    async with stack(tmp_path) as (registry, _, ours, client):
        await deploy(registry, "p", [PARTY])
        await ours.ready(1)
        request = asyncio.create_task(client.infer([TEXT] * 2))
        await under_way(ours, request)
        await client.unload()
        assert await client.index() == [("p", "1", "UNLOADING")]
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.NOTHING_DEPLOYED):
            await client.infer([TEXT])
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.NOTHING_DEPLOYED):
            await ours.predict()
        gate.set()
        answer = await request
        assert answer.model_version == "1"
        labels = unpack_bytes(answer.raw_output_contents[3], 1000)
        assert labels == [b"PARTY"] * 2 * len(golden([PARTY]))

        async def gone() -> bool:
            return await client.index() == [("p", "", "UNAVAILABLE")]

        await until(gone)
        # A new revision is served without being loaded.
        await deploy(registry, "p", [DATE])
        await ours.ready(2)
        assert await client.index() == [("p", "2", "READY")]


async def test_a_draining_version_is_listed_and_takes_nothing_new(
    tmp_path: Path, gate: asyncio.Event
) -> None:
    async with stack(tmp_path) as (registry, _, ours, client):
        await deploy(registry, "p", [PARTY])
        await ours.ready(1)
        request = asyncio.create_task(client.infer([TEXT]))
        await under_way(ours, request)
        await deploy(registry, "p", [DATE])
        await ours.ready(2)
        assert await client.index() == [("p", "2", "READY"), ("p", "1", "UNLOADING")]
        metadata = await client.stub.ModelMetadata(pb.ModelMetadataRequest(name="p"))
        assert list(metadata.versions) == ["1", "2"]
        ready = await client.stub.ModelReady(pb.ModelReadyRequest(name="p", version="1"))
        assert not ready.ready
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
            await client.stub.ModelInfer(versioned("1"))
        gate.set()
        assert (await request).model_version == "1"


def versioned(version: str) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(
        model_name="p", model_version=version, raw_input_contents=[pack_bytes([b"a"])]
    )
    request.inputs.add(name="text", datatype="BYTES", shape=[1])
    return request


async def test_loading_says_why_it_fails_and_serves_from_the_cache(tmp_path: Path) -> None:
    async with registry_at(tmp_path) as (registry, address):
        await deploy(registry, "p", [PARTY])
        settings = inference_settings(tmp_path, address, load_retry_seconds=60)
        async with running(settings, build) as server, client_channel(server) as channel:
            ours, client = InferenceClient(channel), Open(channel)
            await ours.ready(1)
            broken = tiny_adapter("PARTY", seed=2)
            version = await publish(registry, "p", [broken])
            digest = broken.manifest.files[ADAPTER_FILE].digest
            stored = tmp_path / "registry" / "artifacts" / key_of(digest)
            good = stored.read_bytes()
            stored.write_bytes(b"torn")
            await registry.deploy(version)
            with pytest.raises(aio.AioRpcError, match="generations/2 cannot be loaded"):
                await client.load()
            # The old one went on; the next load does not wait for the next try.
            assert (await client.infer([TEXT])).model_version == "1"
            stored.write_bytes(good)
            await client.load()
            assert (await client.infer([TEXT])).model_version == "2"
            await client.unload()
        # Without a registry, what was deployed last is loaded from the cache.
    async with running(settings, build) as server, client_channel(server) as channel:
        ours, client = InferenceClient(channel), Open(channel)
        await ours.ready(2)
        await client.unload()
        await client.load()
        assert (await client.infer([TEXT])).model_version == "2"
        with refused(grpc.StatusCode.UNAVAILABLE, Reason.PEER_UNAVAILABLE):
            await client.load("other")


async def test_a_draining_server_is_live_and_not_ready(tmp_path: Path) -> None:
    async with stack(tmp_path, drain_delay_seconds=0.5) as (_, server, _, client):
        stopping = asyncio.create_task(server.drain())
        ready = True

        async def not_ready() -> bool:
            nonlocal ready
            ready = (await client.stub.ServerReady(pb.ServerReadyRequest())).ready
            return not ready

        await until(not_ready)
        await stopping


async def test_the_example_of_the_docs(tmp_path: Path) -> None:
    example = ROOT / "examples" / "open_inference_client.py"
    page = (ROOT / "docs" / "open-inference-protocol.md").read_text()
    body = example.read_text().partition("def main")[2].partition("    with triton")[2]
    shown = body.partition("\n\n\nif __name__")[0]
    assert f"    with triton{shown}" in page
    async with stack(tmp_path) as (registry, server, ours, _):
        await deploy(registry, "p", [PARTY, DATE])
        await ours.ready(1)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-W", "error", str(example), server.address, "p"),
            env={**os.environ, "SPANLOOP_TOKEN": server.token},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        *spans, last = printed.decode().splitlines()
        assert last == "by version 1 of p"
        found = await ours.predict(
            ["On 1 March 2024, Ada Lovelace paid $1,000.", "Example Ltd. of London"], top_n=1
        )
        assert len(spans) == sum(len(one.spans) for one in found.predictions) > 0
