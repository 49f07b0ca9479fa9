"""A thousand deployments under steady load: what fails, what is wrong, what gets slower.

    python -m benchmarks.swap [--swaps 1000] [--versions 2] [--labels 6] [--rate 12]

A registry and an inference service run as processes with the embedded settings; versions of the
same labels with other random weights are deployed in turns while Predict is asked for at an even
rate that does not wait for answers. Before the run each version answers every text while nothing
else happens: its golden output. Each answer of the run names its generation, and must be that
generation's version's golden output: the same spans, scores within `--tolerance` (texts share
batches with others, which changes last bits).

Swaps and sham swaps take turns: a sham waits as long as the swap before it took and asks for the
serving state as often, but deploys nothing. Requests that were under way while a swap was (from
Deploy until `--settle` after the new generation was READY) are compared with those that were under
way while a sham was, which are as many and were chosen in the same way: `p99_ratio`. A request that
met both counts for the first. `p99_steady_ms` is of the load before the first swap.

The last line is one JSON object: `swaps`, `failed`, `wrong_generation` (answers that are not the
golden output of the generation that they name, or whose generation is older than one that was READY
when they were sent), `p99_ratio`, `deploy_to_served_p50_ms` and `deploy_to_served_p99_ms` (from
calling Deploy until the serving state says READY; `deploy_to_answer_…` until the load's first
answer of it), `rss_slope` (KiB per swap of the inference process, least squares behind the first
tenth) and the first and last RSS.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from benchmarks.serving.figures import goals, machine, p50, p99, slope
from benchmarks.serving.loop import run_async
from benchmarks.serving.models import TrunkFolder
from benchmarks.serving.servers import end_on_sigterm, servers
from benchmarks.serving.swaps import Answer, Observed, Plan, Window, run
from benchmarks.serving.trunk import TRUNK_PRECISIONS, exported_trunk

FLAT = 0.02
"""Growth in a run, by its size, up to which memory counts as flat."""


def figures(seen: Observed, *, tolerance: float) -> dict[str, object]:
    """Return the figures that follow from what happened."""
    swaps = [window for window in seen.windows if window.revision]
    before = [a.milliseconds for a in seen.answers if a.ended <= seen.steady_until]
    during, steady = met(seen.answers, seen.windows)
    wrong = [answer for answer in seen.answers if is_wrong(answer, seen, tolerance)]
    late = stale(seen.answers, swaps)
    served = [1000 * (window.served - window.begin) for window in swaps]
    first = first_answers(seen.answers)
    answers = [1000 * (first[w.revision] - w.begin) for w in swaps if w.revision in first]
    kept = list(enumerate(seen.resident))[len(seen.resident) // 10 :]
    growth = slope([(float(x), y) for x, y in kept])
    ratio = p99(during) / p99(steady)
    return {
        "swaps": len(swaps),
        "requests": len(seen.answers) + len(seen.failures),
        "failed": len(seen.failures),
        "failures": sorted(set(seen.failures))[:5],
        "wrong_generation": len(wrong) + late,
        "wrong_answers": len(wrong),
        "stale_answers": late,
        "generations_answered": len(first),
        "p99_ratio": round(ratio, 3),
        "p50_ratio": round(p50(during) / p50(steady), 3),
        "p50_ms": {"swaps": round(p50(during), 1), "steady": round(p50(steady), 1)},
        "p99_ms": {"swaps": round(p99(during), 1), "steady": round(p99(steady), 1)},
        "p99_steady_ms": round(p99(before), 1) if before else None,
        "requests_compared": {"swaps": len(during), "steady": len(steady)},
        "deploy_to_served_p50_ms": round(p50(served), 1),
        "deploy_to_served_p99_ms": round(p99(served), 1),
        "deploy_to_answer_p50_ms": round(p50(answers), 1) if answers else None,
        "rss_slope": round(growth, 2),
        "rss_first_mib": round(kept[0][1] / 1024, 1),
        "rss_last_mib": round(kept[-1][1] / 1024, 1),
        "rss_max_mib": round(max(seen.resident) / 1024, 1),
        **goals(
            none_failed=not seen.failures,
            none_wrong=not wrong and not late,
            p99_ratio_at_most_1_1=ratio <= 1.1,
            # By its slope it grew by less than what its size differs from run to run.
            rss_is_flat=growth * len(kept) <= FLAT * kept[0][1],
        ),
    }


def met(answers: Sequence[Answer], windows: Sequence[Window]) -> tuple[list[float], list[float]]:
    """Return the milliseconds of the requests that met a swap, and of those that met a sham.

    Args:
        answers: All requests; each counts for the first window in which it was under way.
        windows: In their order; they do not overlap.
    """
    ends = [window.end for window in windows]
    swaps: list[float] = []
    shams: list[float] = []
    for answer in answers:
        place = bisect_left(ends, answer.due)
        if place < len(windows) and windows[place].begin <= answer.ended:
            (swaps if windows[place].revision else shams).append(answer.milliseconds)
    return swaps, shams


def is_wrong(answer: Answer, seen: Observed, tolerance: float) -> bool:
    """Return whether an answer is not what the generation that it names says of the text."""
    version = seen.version_of.get(answer.revision)
    if version is None or answer.versions != {version}:
        return True
    golden = seen.golden[version][answer.text]
    return len(golden) != len(answer.spans) or any(
        expected[:3] != found[:3] or abs(expected[3] - found[3]) > tolerance
        for expected, found in zip(golden, answer.spans, strict=True)
    )


def stale(answers: Sequence[Answer], swaps: Sequence[Window]) -> int:
    """Count answers of a generation older than one that was READY when they were sent."""
    served = sorted(swaps, key=lambda window: window.served)
    moments = [window.served for window in served]
    count = 0
    for answer in answers:
        place = bisect_left(moments, answer.sent)
        count += bool(place) and answer.revision < served[place - 1].revision
    return count


def first_answers(answers: Sequence[Answer]) -> dict[int, float]:
    """Return when each revision's first answer was there."""
    first: dict[int, float] = {}
    for answer in answers:
        first[answer.revision] = min(answer.ended, first.get(answer.revision, answer.ended))
    return first


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Run everything that is asked for; return the figures."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
        trunk = TrunkFolder.open(
            arguments.trunk or exported_trunk(arguments.keep or scratch, arguments.precision)
        )
        running = stack.enter_context(
            servers(scratch / "servers", intra_op_threads=arguments.threads)
        )
        plan = Plan(**{name.name: getattr(arguments, name.name) for name in fields(Plan)})
        seen = run_async(run(plan, running, trunk))
    return {
        **figures(seen, tolerance=arguments.tolerance),
        "rate": arguments.rate,
        "labels": arguments.labels,
        "precision": trunk.manifest.precision,
        **machine(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=2, help="that are deployed in turns")
    parser.add_argument("--labels", type=int, default=6)
    parser.add_argument("--pieces", type=int, default=32, help="of each text")
    parser.add_argument("--rate", type=float, default=12.0, help="requests per second")
    parser.add_argument("--steady", type=float, default=20.0, help="seconds before the first swap")
    parser.add_argument(
        "--every", type=float, default=0.35, help="seconds from a swap to a sham, and back"
    )
    parser.add_argument("--settle", type=float, default=0.1, help="seconds that belong to a swap")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="of scores")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--precision", choices=TRUNK_PRECISIONS, default="fp32", help="of the trunk"
    )
    parser.add_argument("--trunk", type=Path, help="exported trunk; default: the embedded one")
    parser.add_argument("--keep", type=Path, help="folder that keeps the exported trunk")
    end_on_sigterm()
    sys.stdout.write(json.dumps(measure(parser.parse_args(arguments))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
