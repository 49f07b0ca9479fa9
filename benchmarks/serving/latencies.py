"""Milliseconds of the benchmark of latency, and the figures that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.serving.figures import goals, p50, p99

LEVELS = ("grpc", "session", "bare")
IN_PROCESS = ("session", "bare")
BATCH = 32
"""Texts of a request of many."""


@dataclass
class Measured:
    """Milliseconds of each run.

    Attributes:
        single: By level and number of labels.
        single_cpu: The same in processor time, of the levels that run in this process.
        one_of_many: One label of the largest number, over gRPC.
        parallel: The library's, by number of adapters.
        parallel_cpu: The same in processor time.
        batches: Milliseconds of a batch of texts, by how it was run.
    """

    single: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    single_cpu: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    one_of_many: list[float] = field(default_factory=list)
    parallel: dict[int, list[float]] = field(default_factory=dict)
    parallel_cpu: dict[int, list[float]] = field(default_factory=dict)
    batches: dict[str, list[float]] = field(default_factory=dict)


def figures(measured: Measured, *, pieces: int) -> dict[str, object]:
    """Return the figures that follow from the milliseconds."""
    single = measured.single
    counts = list(single["grpc"])
    medians = {level: {n: p50(single[level][n]) for n in counts} for level in LEVELS}
    session, over_grpc, bare = medians["session"], medians["grpc"], medians["bare"]
    found: dict[str, object] = {
        "p50_ms": {
            str(n): {level: round(medians[level][n], 2) for level in LEVELS} for n in counts
        },
        "p99_ms": {
            str(n): {level: round(p99(single[level][n]), 2) for level in LEVELS} for n in counts
        },
        "grpc_1_of_100_ms": round(p50(measured.one_of_many), 2),
        "grpc_over_session": round(over_grpc[counts[0]] / bare[counts[0]], 3),
        "grpc_minus_session_ms": round(over_grpc[counts[0]] - bare[counts[0]], 2),
        "grpc_over_session_by_labels": {str(n): round(over_grpc[n] / bare[n], 3) for n in counts},
        "engine_over_session_by_labels": {str(n): round(session[n] / bare[n], 3) for n in counts},
    }
    met = {"grpc_within_1.3x_and_2ms": all(over_grpc[n] <= 1.3 * bare[n] + 2 for n in counts)}
    if {1, 32} <= set(counts):
        ratios = {level: medians[level][32] / medians[level][1] for level in LEVELS}
        found |= {
            "ratio_32_1": round(ratios["session"], 3),
            "grpc_ratio_32_1": round(ratios["grpc"], 3),
            "bare_ratio_32_1": round(ratios["bare"], 3),
            **{f"cpu_{name}": round(value, 3) for name, value in cpu_ratios(measured).items()},
        }
        met["ratio_32_1_at_most_2"] = max(ratios["session"], ratios["grpc"]) <= 2
        met["ratio_32_1_at_most_1.25"] = max(ratios["session"], ratios["grpc"]) <= 1.25
    if measured.parallel:
        theirs = {n: p50(values) for n, values in measured.parallel.items()}
        times = {n: theirs[n] / session[n] for n in theirs if n in session}
        found |= {
            "adapters_parallel_ms": {str(n): round(value, 1) for n, value in theirs.items()},
            "ratio_parallel": {str(n): round(value, 1) for n, value in times.items()},
        }
        if 20 in times:
            found["ratio_parallel_20"] = round(times[20], 1)
            by_cpu = p50(measured.parallel_cpu[20]) / p50(measured.single_cpu["session"][20])
            found["cpu_ratio_parallel_20"] = round(by_cpu, 1)
            found["grpc_ratio_parallel_20"] = round(theirs[20] / over_grpc[20], 1)
            met["parallel_20_at_least_10x"] = times[20] >= 10
    if measured.batches:
        batch = {name: p50(values) for name, values in measured.batches.items()}
        share = batch["bare"] / batch["grpc_at_once"]
        found["batch_32"] = {
            "tokens_per_s": {
                name: round(1000 * BATCH * pieces / value) for name, value in batch.items()
            },
            "share": round(share, 3),
            "share_one_at_a_time": round(batch["bare"] / batch["grpc"], 3),
        }
        met["batch_32_at_least_90_percent"] = share >= 0.9
    return found | goals(**met)


def cpu_ratios(measured: Measured) -> dict[str, float]:
    """Return how many times the processor time of one label 32 labels take."""
    names = {"session": "ratio_32_1", "bare": "bare_ratio_32_1"}
    return {
        names[level]: p50(found[32]) / p50(found[1]) for level, found in measured.single_cpu.items()
    }
