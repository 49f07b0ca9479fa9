"""A trunk small enough for tests, built without torch: random embeddings, three taps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from services.common.modeling.adapter import AdapterWeights, load_adapter, pack_adapter
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
from services.common.modeling.onnx.trunk import MANIFEST_FILE, TrunkRunner
from services.common.modeling.word_features import FEATURE_COUNT, FEATURISER
from services.common.modeling.words import WORD_SPLITTER

HIDDEN = 8
TAPS = 3
_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'\"()-$@#/&é東京"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *_CHARS, *(f"##{c}" for c in _CHARS)]


def tokenizer_json() -> bytes:
    tokenizer = Tokenizer(
        WordPiece({piece: i for i, piece in enumerate(VOCABULARY)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer.to_str().encode()


def trunk_model(seed: int = 7) -> bytes:
    """Each tap is an embedding plus the mean over the window, so windows and padding matter."""
    draw = np.random.default_rng(seed)
    nodes, constants, taps = [], [], []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    constant("last", np.asarray([-1], np.int64))
    constant("length_axis", np.asarray([1], np.int64))
    constant("ones", np.ones(HIDDEN, np.float32))
    constant("tenth", np.asarray(0.1, np.float32))
    mask = node("Unsqueeze", [node("Cast", ["attention_mask"], to=TensorProto.FLOAT), "last"])
    for tap in range(TAPS):
        table = draw.normal(size=(len(VOCABULARY), HIDDEN)).astype(np.float32)
        own = node("Gather", [constant(f"table_{tap}", table), "input_ids"])
        total = node("ReduceSum", [node("Mul", [own, mask]), "length_axis"], keepdims=1)
        count = node("ReduceSum", [mask, "length_axis"], keepdims=1)
        mean = node("Mul", [node("Div", [total, count]), "tenth"])
        normed = node("LayerNormalization", [node("Add", [own, mean]), "ones"], axis=-1)
        taps.append(node("Unsqueeze", [normed, constant(f"axis_{tap}", np.asarray([0], np.int64))]))
    nodes.append(helper.make_node("Concat", taps, ["taps"], axis=0))
    shape = ["batch", "length"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("taps", TensorProto.FLOAT, [TAPS, *shape, HIDDEN])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def trunk_files(seed: int = 7) -> tuple[TrunkManifest, dict[str, bytes]]:
    files = {TRUNK_FILE: trunk_model(seed), TOKENIZER_FILE: tokenizer_json()}
    manifest = TrunkManifest(
        name="tiny",
        source="local",
        architecture="tiny",
        hidden_size=HIDDEN,
        taps=TAPS,
        max_length=64,
        pad_token_id=0,
        precision="fp32",
        opset=20,
        files={name: FileDigest.of(data) for name, data in files.items()},
    )
    return manifest, files


def write_trunk(folder: Path, seed: int = 7) -> TrunkManifest:
    manifest, files = trunk_files(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST_FILE).write_bytes(manifest.to_bytes())
    return manifest


def open_trunk() -> TrunkRunner:
    manifest, files = trunk_files()
    return TrunkRunner.open(
        manifest, files.__getitem__, providers=["CPUExecutionProvider"], threads=1
    )


def adapter_bytes(
    label: str,
    trunk: TrunkManifest,
    *,
    width: int = 4,
    context: int = 1,
    taps: tuple[int, ...] = (0, 1, 2),
    seed: int = 0,
    outside_bias: float = 0.0,
    head: Head = Head.TAGS,
    classes: tuple[str, ...] = (),
    thresholds: tuple[float, ...] = (),
) -> tuple[bytes, bytes]:
    """Return manifest and weights; a head for choices with thresholds chooses several values."""
    architecture = LadderArchitecture(
        hidden_size=trunk.hidden_size,
        width=width,
        taps=taps,
        context=context,
        features=FEATURE_COUNT,
        head=head,
        classes=len(classes) or 3,
    )
    decoding = Decoding(outside_bias=outside_bias)
    if head is not Head.TAGS:
        decoding = Decoding(scheme="multiple" if thresholds else "single", thresholds=thresholds)
    draw = np.random.default_rng([seed, *label.encode()])
    weights = pack_adapter(
        {
            name: draw.normal(size=shape).astype(np.float32)
            for name, shape in architecture.tensor_shapes().items()
        }
    )
    manifest = AdapterManifest(
        label=label,
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=architecture,
        decoding=decoding,
        classes=classes,
        max_length=32,
        stride=8,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter=WORD_SPLITTER,
        featuriser=FEATURISER,
    )
    return manifest.to_bytes(), weights


def adapter(label: str, trunk: TrunkManifest, **options: object) -> AdapterWeights:
    return load_adapter(*adapter_bytes(label, trunk, **options))  # type: ignore[arg-type]
