"""Builds the small graphs that turn a trunk's states into what banks read, without the host.

``taps``, the trunk's output, and ``words``, the states of all words that were read together, stay
on the device. What crosses to it are indices; an index of -1 stands for a row of zeros.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from services.common.modeling.onnx.bank_graph import Graph


def build_words_graph(taps: int, hidden: int, *, half_precision: bool) -> bytes:
    """Return the graph that adds to words what one run of the trunk says of them.

    Inputs: ``taps`` [taps, windows, length, hidden], the indices ``first`` and ``last`` [words] of
    each word's first and last piece among all pieces of the run, and ``before``, the words so far,
    float32 [taps, words, hidden] or a single zero [1, 1, 1]. Output: ``words``, float32.

    Args:
        taps: Number of taps.
        hidden: Size of a state.
        half_precision: Whether the trunk gives float16.
    """
    graph = Graph()
    pieces = graph.op("Reshape", "taps", graph.ints("by_piece", (taps, -1, hidden)))
    first, last = (
        _rows(graph, pieces, index, half_precision=half_precision) for index in ("first", "last")
    )
    half = graph.floats("half", np.asarray(0.5, dtype=np.float32))
    mean = graph.op("Mul", graph.op("Add", first, last), half)
    graph.op("Add", "before", mean, output="words")
    return graph.model(
        "words",
        {
            "taps": [taps, "B", "L", hidden],
            "first": ["W"],
            "last": ["W"],
            "before": ["X", "Y", "Z"],
        },
        {"words": [taps, "W", hidden]},
        types={
            "taps": TensorProto.FLOAT16 if half_precision else TensorProto.FLOAT,
            "first": TensorProto.INT64,
            "last": TensorProto.INT64,
        },
    )


def build_pack_graph(taps: int, hidden: int) -> bytes:
    """Return the graph that lays words out as a bank wants them.

    Inputs: ``words`` [taps, words, hidden] and ``rows`` [rows], the word of each row. Output:
    ``states`` [taps, rows, hidden].
    """
    graph = Graph()
    _rows(graph, "words", "rows", output="states")
    return graph.model(
        "pack",
        {"words": [taps, "W", hidden], "rows": ["M"]},
        {"states": [taps, "M", hidden]},
        types={"rows": TensorProto.INT64},
    )


def build_sums_graph(taps: int, hidden: int) -> bytes:
    """Return the graph that sums the last states of groups of words.

    Inputs: ``words`` [taps, words, hidden], ``rows`` [rows], the words that are summed, and
    ``members`` [groups, rows], 1 where a row belongs to a group. Output: ``sums`` [groups, hidden].
    """
    graph = Graph()
    last = graph.op("Gather", "words", graph.ints("last_tap", (taps - 1,)), axis=0)
    sums = graph.op("MatMul", "members", _rows(graph, last, "rows"))
    graph.op("Reshape", sums, graph.ints("by_group", (-1, hidden)), output="sums")
    return graph.model(
        "sums",
        {"words": [taps, "W", hidden], "rows": ["M"], "members": ["G", "M"]},
        {"sums": ["G", hidden]},
        types={"rows": TensorProto.INT64},
    )


def _rows(
    graph: Graph,
    source: str,
    index: str,
    *,
    half_precision: bool = False,
    output: str | None = None,
) -> str:
    """Add the gathering of rows [taps, rows, hidden] as float32; those of -1 are zero.

    Selected, not multiplied by zero: what the other rows hold, NaN even, must not show.
    """
    found = graph.op("Gather", source, index, axis=1)
    if half_precision:
        found = graph.op("Cast", found, to=TensorProto.FLOAT)
    none = graph.floats("no_row", np.asarray(0, dtype=np.int64))
    wanted = graph.op("GreaterOrEqual", index, none)
    wanted = graph.op("Reshape", wanted, graph.ints("by_row", (-1, 1)))
    zero = graph.floats("zero", np.asarray(0, dtype=np.float32))
    return graph.op("Where", wanted, found, zero, output=output)
