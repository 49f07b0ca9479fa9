"""Other number formats of an exported trunk: int8 for CPUs, fp16 for GPUs.

Only the trainer, which exports trunks, needs this module.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx_ir
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxscript.rewriter.ort_fusions import optimize_for_ort


def to_int8(model: bytes) -> bytes:
    """Return the model with weights of 8 bits; activations are quantised as it runs.

    A scale per output channel, and 7 bits of the range: without VNNI the products of 8 bits
    overflow, and one scale per matrix costs a tenth of the cosine to the full model.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = Path(folder, "model.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(model)
        quantize_dynamic(
            source, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
        )
        return _canonical(onnx.load(target))


def to_fp16(model: bytes) -> bytes:
    """Return the model with fused attention in half precision; inputs and outputs stay as they are.

    Fusing gains nothing on a CPU, where onnxruntime does the rest itself when it opens a model.
    """
    fused = onnx_ir.serde.deserialize_model(onnx.load_from_string(model))
    fused, _ = optimize_for_ort(fused)
    proto = onnx_ir.serde.serialize_model(fused)
    return _canonical(convert_float_to_float16(proto, keep_io_types=True))


def _canonical(model: onnx.ModelProto) -> bytes:
    """Return bytes that depend on nothing but the graph: their digest names the trunk."""
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice out of our logs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
