"""What the inference tests share: a tiny trunk and adapters made without torch, and servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from grpc import aio
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from services.common.modeling.adapter import AdapterWeights, load_adapter, pack_adapter
from services.common.modeling.heads import ASSERTION
from services.common.modeling.manifest import (
    ADAPTER_FILE,
    TOKENIZER_FILE,
    TRUNK_FILE,
    AdapterManifest,
    Decoding,
    FileDigest,
    Head,
    LadderArchitecture,
    TrunkManifest,
)
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.pooled import PooledBank
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import PredictedSpan, TextPredictor
from services.common.modeling.states import WordStateReader
from services.common.modeling.word_features import FEATURE_COUNT, FEATURISER
from services.common.modeling.words import WORD_SPLITTER
from services.inference.bootstrap import build
from services.inference.config import InferenceSettings
from services.inference.domain import AdapterRef
from services.inference.engine.part import Part
from services.registry.bootstrap import build as build_registry
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import inference_service_pb2_grpc, serving_state_pb2
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1.trunk_pb2 import Trunk
from tests.support import client_channel, running
from tests.support.registry import RegistryClient, registry_settings

CPU = ["CPUExecutionProvider"]
HIDDEN, TAPS, MAX_LENGTH, STRIDE = 16, 3, 24, 8
TEXT = "On 1 March 2024, Ada Lovelace of Example Ltd. paid $1,000 in London."


@dataclass(frozen=True, kw_only=True)
class TinyTrunk:
    manifest: TrunkManifest
    files: Mapping[str, bytes]

    def runner(self, device: DeviceOptions = DeviceOptions()) -> TrunkRunner:  # noqa: B008
        return TrunkRunner.open(
            self.manifest, self.files.__getitem__, providers=CPU, threads=1, device=device
        )


@dataclass(frozen=True, kw_only=True)
class TinyAdapter:
    manifest: AdapterManifest
    weights: bytes

    def load(self) -> AdapterWeights:
        return load_adapter(self.manifest.to_bytes(), self.weights)

    def ref(self, model_version: str = "projects/p/modelVersions/ner_p_v1") -> AdapterRef:
        return AdapterRef(
            digest=self.manifest.digest,
            trunk_digest=self.manifest.trunk_digest,
            model_version=model_version,
        )


@cache
def tiny_tokenizer() -> bytes:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    marks = "!\"#$%&'()*+,-./:;<=>?@[]_éüñ€"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters), *marks]
    tokens += ["on", "march", "ada", "paid", "london", "example", "ltd", "word"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer.to_str().encode()


@cache
def tiny_trunk(seed: int = 0) -> TinyTrunk:
    """Return embeddings and two mixing layers; the mean of the window makes words see others."""
    random = np.random.default_rng(seed)
    tokenizer = tiny_tokenizer()
    vocabulary = Tokenizer.from_str(tokenizer.decode()).get_vocab_size()

    def constant(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)

    constants = [constant("embeddings", vocabulary, HIDDEN)]
    constants.append(numpy_helper.from_array(np.ones(HIDDEN, np.float32), "ones"))
    constants.append(numpy_helper.from_array(np.asarray([0], np.int64), "first"))
    constants.append(numpy_helper.from_array(np.asarray([2], np.int64), "last"))
    constants.append(numpy_helper.from_array(np.asarray([1], np.int64), "length"))
    nodes = [
        helper.make_node("Gather", ["embeddings", "input_ids"], ["h0"]),
        helper.make_node("Cast", ["attention_mask"], ["mask2"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask2", "last"], ["mask"]),
        helper.make_node("ReduceSum", ["mask", "length"], ["count"], keepdims=1),
    ]
    for layer in range(TAPS):
        if layer:
            constants.append(constant(f"w{layer}", HIDDEN, HIDDEN))
            before, after = f"h{layer - 1}", f"h{layer}"
            nodes += [
                helper.make_node("Mul", [before, "mask"], [f"masked{layer}"]),
                helper.make_node("ReduceSum", [f"masked{layer}", "length"], [f"sum{layer}"]),
                helper.make_node("Div", [f"sum{layer}", "count"], [f"mean{layer}"]),
                helper.make_node("Add", [before, f"mean{layer}"], [f"seen{layer}"]),
                helper.make_node("MatMul", [f"seen{layer}", f"w{layer}"], [f"mixed{layer}"]),
                helper.make_node("Tanh", [f"mixed{layer}"], [after]),
            ]
        nodes += [
            helper.make_node("LayerNormalization", [f"h{layer}", "ones"], [f"n{layer}"], axis=-1),
            helper.make_node("Unsqueeze", [f"n{layer}", "first"], [f"t{layer}"]),
        ]
    nodes.append(helper.make_node("Concat", [f"t{i}" for i in range(TAPS)], ["taps"], axis=0))
    shape = ["B", "T"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("taps", TensorProto.FLOAT, [TAPS, *shape, HIDDEN])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    ).SerializeToString()
    files = {TRUNK_FILE: model, TOKENIZER_FILE: tokenizer}
    manifest = TrunkManifest(
        name="tiny",
        source="local",
        architecture="bert",
        hidden_size=HIDDEN,
        taps=TAPS,
        max_length=MAX_LENGTH,
        pad_token_id=0,
        precision="fp32",
        opset=18,
        files={name: FileDigest.of(data) for name, data in files.items()},
    )
    return TinyTrunk(manifest=manifest, files=files)


@cache
def tiny_adapter(
    label: str, seed: int = 1, trunk_seed: int = 0, width: int = 4, outside_bias: float = 0.0
) -> TinyAdapter:
    random = np.random.default_rng([seed, *label.encode()])
    trunk = tiny_trunk(trunk_seed).manifest
    architecture = LadderArchitecture(
        hidden_size=HIDDEN, width=width, taps=tuple(range(TAPS)), context=1, features=FEATURE_COUNT
    )
    weights = pack_adapter(
        {
            name: random.normal(scale=0.6, size=shape).astype(np.float32)
            for name, shape in architecture.tensor_shapes().items()
        }
    )
    manifest = AdapterManifest(
        label=label,
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=architecture,
        decoding=Decoding(outside_bias=outside_bias),
        max_length=MAX_LENGTH,
        stride=STRIDE,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter=WORD_SPLITTER,
        featuriser=FEATURISER,
        lineage={"seed": seed},
    )
    return TinyAdapter(manifest=manifest, weights=weights)


@cache
def tiny_pooled(
    label: str,
    head: Head = Head.CHOICES,
    classes: tuple[str, ...] = ("a", "b", "c"),
    thresholds: tuple[float, ...] = (),
    seed: int = 1,
    trunk_seed: int = 0,
    scale: float = 0.6,
) -> TinyAdapter:
    """Return an adapter for a control, or for assertions; thresholds choose several values."""
    random = np.random.default_rng([seed, *label.encode()])
    trunk = tiny_trunk(trunk_seed).manifest
    architecture = LadderArchitecture(
        hidden_size=HIDDEN,
        width=4,
        taps=tuple(range(TAPS)),
        context=1,
        features=FEATURE_COUNT,
        head=head,
        classes=len(classes),
    )
    weights = pack_adapter(
        {
            name: random.normal(scale=scale, size=shape).astype(np.float32)
            for name, shape in architecture.tensor_shapes().items()
        }
    )
    manifest = AdapterManifest(
        label=label,
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=architecture,
        decoding=Decoding(scheme="multiple" if thresholds else "single", thresholds=thresholds),
        classes=classes,
        max_length=MAX_LENGTH,
        stride=STRIDE,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter=WORD_SPLITTER,
        featuriser=FEATURISER,
        lineage={"seed": seed},
    )
    return TinyAdapter(manifest=manifest, weights=weights)


STATUSES = ("present", "absent", "possible")


def tiny_assertion(seed: int = 1, trunk_seed: int = 0) -> TinyAdapter:
    """Return an adapter for assertion statuses."""
    return tiny_pooled(ASSERTION, Head.ASSERTION, STATUSES, seed=seed, trunk_seed=trunk_seed)


def golden_part(
    adapters: Sequence[TinyAdapter], trunk_seed: int = 0, runner: TrunkRunner | None = None
) -> Part:
    """Return a part of adapters of any kind, as the loader puts it together."""
    loaded = [adapter.load() for adapter in adapters]
    by_head = {
        head: [one for one in loaded if one.manifest.architecture.head is head] for head in Head
    }
    runner = runner or tiny_trunk(trunk_seed).runner()
    runtime = BankRuntime(runner.manifest, providers=CPU, threads=1)
    reader = WordStateReader(runner, max_length=MAX_LENGTH, stride=STRIDE)
    pooled = {
        head: PooledBank.stack(runtime, head, by_head[head]) if by_head[head] else None
        for head in (Head.CHOICES, Head.ASSERTION)
    }
    return Part(
        predictor=TextPredictor(reader, Bank.stack(runtime, by_head[Head.TAGS])),
        choices=pooled[Head.CHOICES],
        assertion=pooled[Head.ASSERTION],
    )


def golden_predictor(adapters: Sequence[TinyAdapter], trunk_seed: int = 0) -> TextPredictor:
    """Return what the service must agree with, made of the same artifacts."""
    runner = tiny_trunk(trunk_seed).runner()
    runtime = BankRuntime(runner.manifest, providers=CPU, threads=1)
    bank = Bank.stack(runtime, [adapter.load() for adapter in adapters])
    reader = WordStateReader(runner, max_length=MAX_LENGTH, stride=STRIDE)
    return TextPredictor(reader, bank)


def golden(adapters: Sequence[TinyAdapter], text: str = TEXT) -> list[PredictedSpan]:
    (spans,) = golden_predictor(adapters).predict([text])
    return spans


def spans_of(prediction: object) -> list[tuple[int, int, str]]:
    """Return the extents and labels of a TextPrediction or of predicted spans."""
    found = getattr(prediction, "spans", prediction)
    return sorted((span.start, span.end, span.label) for span in found)  # type: ignore[attr-defined]


class FakeRegistry:
    """The `Registry` port in memory, with faults on demand."""

    def __init__(self) -> None:
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.downloads: list[str] = []

    def add(self, *adapters: TinyAdapter, trunk_seed: int = 0) -> None:
        trunk = tiny_trunk(trunk_seed)
        self.manifests[trunk.manifest.digest] = trunk.manifest.to_bytes()
        for name, data in trunk.files.items():
            self.blobs[trunk.manifest.files[name].digest] = data
        for adapter in adapters:
            self.manifests[adapter.manifest.digest] = adapter.manifest.to_bytes()
            self.blobs[adapter.manifest.files[ADAPTER_FILE].digest] = adapter.weights

    async def adapter_manifest(self, digest: str) -> bytes:
        return self.manifests[digest]

    async def trunk_manifest(self, digest: str) -> bytes:
        return self.manifests[digest]

    async def download(self, digest: str) -> bytes:
        self.downloads.append(digest)
        return self.blobs[digest]


async def publish(
    client: RegistryClient, project: str, adapters: Sequence[TinyAdapter], *, verify: bool = True
) -> str:
    """Upload and register adapters with their trunk; return the name of a version of them."""
    for seed in range(3):
        trunk = tiny_trunk(seed)
        if any(item.manifest.trunk_digest == trunk.manifest.digest for item in adapters):
            for data in trunk.files.values():
                await client.upload(data)
            message = Trunk(manifest=trunk.manifest.to_bytes())
            await client.stub.RegisterTrunk(registry_pb.RegisterTrunkRequest(trunk=message))
    for adapter in adapters:
        await client.upload(adapter.weights)
        await client.register_adapter(adapter.manifest)
    version = await client.version(
        project, {item.manifest.label: item.manifest.digest for item in adapters}
    )
    return (await client.verify(version.name)).name if verify else version.name


async def deploy(client: RegistryClient, project: str, adapters: Sequence[TinyAdapter]) -> str:
    """Publish adapters and point the project's deployment at them; return the version's name."""
    version = await publish(client, project, adapters)
    await client.deploy(version)
    return version


class InferenceClient:
    """The stub, and the steps that most tests need."""

    def __init__(self, channel: aio.Channel) -> None:
        self.stub = inference_service_pb2_grpc.InferenceServiceStub(channel)

    async def predict(
        self, texts: str | Sequence[str] = TEXT, project: str = "p", **fields: object
    ) -> pb.PredictResponse:
        wanted = [texts] if isinstance(texts, str) else texts
        request = pb.PredictRequest(project=f"projects/{project}", texts=wanted, **fields)  # type: ignore[arg-type]
        return await self.stub.Predict(request)

    async def state(self, project: str = "") -> serving_state_pb2.ServingState:
        name = f"projects/{project}" if project else ""
        answer = await self.stub.GetServingState(pb.GetServingStateRequest(project=name))
        return answer.serving_state

    async def ready(self, revision: int = 1, project: str = "p") -> None:
        """Wait until a revision is READY."""

        async def is_ready() -> bool:
            found = (await self.state(project)).generations
            return any(
                item.state == serving_state_pb2.GENERATION_STATE_READY
                and item.deployment_revision == revision
                for item in found
            )

        await until(is_ready)


async def connected(channel: aio.Channel) -> None:
    """Return when the channel has a connection."""
    await channel.channel_ready()


async def until(condition: object, timeout: float = 20.0) -> None:
    """Wait until an async condition holds."""
    end = time.monotonic() + timeout
    while not await condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.01)


def inference_settings(folder: Path, registry: str, **fields: object) -> InferenceSettings:
    """Return settings for a server on `folder` that follows the registry at an address."""
    values: dict[str, object] = {
        "registry_address": registry,
        "load_retry_seconds": 0.1,
        "intra_op_threads": 1,
        "watch_heartbeat_seconds": 0.3,
        "drain_seconds": 3,
        **fields,
    }
    return InferenceSettings(data_dir=folder, listen="127.0.0.1:0", **values)  # type: ignore[arg-type]


@asynccontextmanager
async def registry_at(
    folder: Path, listen: str = "127.0.0.1:0"
) -> AsyncIterator[tuple[RegistryClient, str]]:
    """Run a registry; yield a client and the address. `listen` brings one back where it was."""
    settings = registry_settings(folder).model_copy(update={"listen": listen})
    async with running(settings, build_registry) as server, client_channel(server) as channel:
        # Channels of one process share their pauses between attempts to connect.
        await asyncio.wait_for(connected(channel), 10)
        yield RegistryClient(channel), server.address


@asynccontextmanager
async def inference(
    folder: Path, registry: str, **fields: object
) -> AsyncIterator[InferenceClient]:
    """Run an inference service and connect to it."""
    settings = inference_settings(folder, registry, **fields)
    async with running(settings, build) as server, client_channel(server) as channel:
        yield InferenceClient(channel)
