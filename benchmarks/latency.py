"""What a short text's answer takes, by number of labels: over gRPC, at the engine, and bare.

    python -m benchmarks.latency [--labels 1 6 20 32 100] [--rounds 120] [--without adapters]

A registry and an inference service run as processes with the embedded settings and serve a project
for each number of labels: adapters of the trained shape with random weights, which cost the same.
One text of `--pieces` pieces is asked for in rounds, all numbers of labels in each round and in
random order, so that what else the machine does falls on all alike:

- `grpc`: Predict, from sending the request to having the answer, by a client on this machine;
- `session`: the engine in this process, from the tokenised text to the logits;
- `bare`: the onnxruntime calls that the engine makes for it, with the same inputs, made again;
- `adapters`: the library's `Parallel` with as many adapters on the same weights, fewer times.

Each is run once, unmeasured, right before it is measured: what is in another process would always
find the caches filled by this one, and its threads asleep, and `bare` never.

Then requests of 32 such texts, one after the other and several at once, beside the bare calls.

The last line is one JSON object: `p50_ms` and `p99_ms` by number of labels, `ratio_32_1` at the
session (`grpc_ratio_32_1` over gRPC), `adapters_parallel_ms` by number of adapters, how many times
slower than the session that is (`ratio_parallel`, `ratio_parallel_20`), `grpc_over_session` (gRPC's
p50 by that of the bare calls with one label; `grpc_minus_session_ms` is the difference) and
`batch_32` with tokens/s and `share`, gRPC's by the bare session's. A label of a hundred that are
served is `grpc_1_of_100_ms`. `cpu_…` are the same by processor time, which holds on a machine that
is busy otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.peers.environments import ENVS, PEERS, embedded_weights, python_of
from benchmarks.serving.client import LatencyClient, project_of
from benchmarks.serving.figures import machine
from benchmarks.serving.latencies import BATCH, IN_PROCESS, LEVELS, Measured, figures
from benchmarks.serving.loop import run_async
from benchmarks.serving.models import TrunkFolder, label_names, random_adapter, serve_projects
from benchmarks.serving.runner import Runner, runner
from benchmarks.serving.servers import end_on_sigterm, servers
from benchmarks.serving.session import bare_calls, engine_run, load_models, replay
from benchmarks.serving.texts import pieces_of, text_of
from benchmarks.serving.trunk import TRUNK_PRECISIONS, exported_trunk
from services.common.modeling.manifest import TOKENIZER_FILE
from services.common.modeling.tokenisation import TextTokenizer
from services.inference.engine.model import Model

BATCH_LABELS = 6
_WARM_UP = 5


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Run everything that is asked for; return the figures."""
    counts = sorted(set(arguments.labels))
    python = None if arguments.without else python_of("adapters", arguments.envs)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
        trunk = TrunkFolder.open(
            arguments.trunk or exported_trunk(arguments.keep or scratch, arguments.precision)
        )
        pieces = pieces_of(TextTokenizer.from_bytes((trunk.folder / TOKENIZER_FILE).read_bytes()))
        texts = [text_of(pieces, arguments.pieces, seed) for seed in range(BATCH)]
        names = label_names(max(counts[-1], BATCH_LABELS))
        adapters = [random_adapter(trunk.manifest, name, seed=1) for name in names]
        served = {project_of(count): adapters[:count] for count in {*counts, BATCH_LABELS}}
        running = stack.enter_context(
            servers(scratch / "servers", intra_op_threads=arguments.threads)
        )
        run_async(serve_projects(running, trunk, served))
        models = load_models(trunk, served, cache=scratch / "cache", threads=arguments.threads)
        peer = None
        if python:
            command: list[str | Path] = [python, PEERS / "adapters" / "parallel.py"]
            command += ["--weights", embedded_weights(), "--text", texts[0]]
            command += ["--adapters", str(max(arguments.adapters))]
            command += ["--threads", str(arguments.threads)]
            log = scratch / "adapters.log"
            peer = stack.enter_context(runner(command, threads=arguments.threads, log=log))
        client = LatencyClient(stack.enter_context(running.channel("inference")))
        measured = Measured()
        measure_single(arguments, counts, models, client, peer, texts[0], measured)
        whole = {project_of(BATCH_LABELS): served[project_of(BATCH_LABELS)]}
        # The bare session takes all texts in one run, however the engine cuts them.
        unbounded = load_models(
            trunk,
            whole,
            cache=scratch / "cache",
            threads=arguments.threads,
            batch_tokens=4 * BATCH * arguments.pieces,
        )
        pair = (models[project_of(BATCH_LABELS)], unbounded[project_of(BATCH_LABELS)])
        measure_batches(arguments, pair, client, texts, measured)
        return {
            **figures(measured, pieces=arguments.pieces),
            "rounds": arguments.rounds,
            "threads": arguments.threads,
            "precision": trunk.manifest.precision,
            "resident_mib": round(running.resident_kib("inference") / 1024, 1),
            **machine(),
        }


def measure_single(
    arguments: argparse.Namespace,
    counts: Sequence[int],
    models: Mapping[str, Model],
    client: LatencyClient,
    peer: Runner | None,
    text: str,
    measured: Measured,
) -> None:
    """Ask for one text in rounds."""
    rng = random.Random(0)  # noqa: S311
    runs = {count: engine_run(models[project_of(count)], [text]) for count in counts}
    for level in LEVELS:
        measured.single[level] = {count: [] for count in counts}
    for level in IN_PROCESS:
        measured.single_cpu[level] = {count: [] for count in counts}
    measured.parallel = {count: [] for count in arguments.adapters} if peer else {}
    measured.parallel_cpu = {count: [] for count in measured.parallel}
    every = max(1, arguments.rounds // max(1, arguments.parallel_rounds))
    one = label_names(1)
    for number in range(-_WARM_UP, arguments.rounds):
        for count in rng.sample(counts, len(counts)):
            once: dict[str, Callable[[], object]] = {
                "grpc": partial(client.ask, count, [text]),
                "session": runs[count],
                "bare": partial(replay, bare_calls(runs[count])),
            }
            for level in rng.sample(LEVELS, len(LEVELS)):
                once[level]()
                cpu = time.process_time()
                found = _milliseconds(once[level])
                cpu = 1000 * (time.process_time() - cpu)
                if number >= 0:
                    measured.single[level][count].append(found)
                    if level in IN_PROCESS:
                        measured.single_cpu[level][count].append(cpu)
        client.ask(counts[-1], [text], one)
        found = _milliseconds(lambda: client.ask(counts[-1], [text], one))
        if number >= 0:
            measured.one_of_many.append(found)
        if peer and (number % every == 0 or number == -1):
            for count in measured.parallel:
                peer.ask(str(count))
                found, cpu = peer.ask(str(count))
                if number >= 0:
                    measured.parallel[count].append(found)
                    measured.parallel_cpu[count].append(cpu)


def measure_batches(
    arguments: argparse.Namespace,
    models: tuple[Model, Model],
    client: LatencyClient,
    texts: Sequence[str],
    measured: Measured,
) -> None:
    """Ask for many texts at once, in turns with the bare session.

    Args:
        arguments: Of the command line.
        models: The engine's as it is served, and the one whose calls are made bare.
        client: Asks over gRPC.
        texts: The texts.
        measured: Where the figures go.
    """
    run, whole = (engine_run(model, texts) for model in models)
    times = 2 * arguments.at_once
    at_once = partial(client.ask_at_once, BATCH_LABELS, texts, times, arguments.at_once)
    for number in range(-2, arguments.batch_rounds):
        runs: dict[str, Callable[[], object]] = {
            "bare": partial(replay, bare_calls(whole)),
            "session": run,
            "grpc": partial(client.ask, BATCH_LABELS, texts),
        }
        found = {}
        for name, once in runs.items():
            once()
            found[name] = _milliseconds(once)
        found["grpc_at_once"] = _milliseconds(at_once) / times
        if number >= 0:
            for name, value in found.items():
                measured.batches.setdefault(name, []).append(value)


def _milliseconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, nargs="+", default=[1, 6, 20, 32, 100])
    parser.add_argument("--pieces", type=int, default=32, help="of the text")
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--batch-rounds", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=4, help="requests of many texts under way")
    parser.add_argument("--adapters", type=int, nargs="+", default=[1, 6, 20, 32])
    parser.add_argument("--parallel-rounds", type=int, default=12, help="of the library's")
    parser.add_argument("--without", choices=["adapters"], default="", help="the peer left out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--precision", choices=TRUNK_PRECISIONS, default="fp32", help="of the trunk"
    )
    parser.add_argument("--trunk", type=Path, help="exported trunk; default: the embedded one")
    parser.add_argument("--envs", type=Path, default=ENVS, help="folder of the environments")
    parser.add_argument("--keep", type=Path, help="folder that keeps the exported trunk")
    end_on_sigterm()
    sys.stdout.write(json.dumps(measure(parser.parse_args(arguments))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
