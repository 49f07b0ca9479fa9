"""Run with `make demo` or `python -m examples.demo [--data FOLDER]`.

Starts the four services on free loopback ports in a temporary directory, runs the loop, stops them
and removes the directory. The last line is one JSON object with the figures; the exit status is not
0 when a step failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from examples.demo.data import SPLITS, DataError, Dataset, load
from examples.demo.loop import Loop, Outcome, StepError
from examples.demo.show import Screen
from spanloop import AsyncClient, ClientOptions, RetryPolicy, SpanloopError
from spanloop.cli._stack import Stack


async def _run(stack: Stack, data: Dataset, screen: Screen) -> Outcome:
    # Nothing is retried, so that each request that fails is seen.
    options = ClientOptions(retry=RetryPolicy(attempts=1))
    async with AsyncClient(
        endpoints=stack.endpoints, token=stack.token, data_dir=stack.data_dir, options=options
    ) as client:
        return await Loop(client, data, screen).run()


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description="The whole loop on real text.")
    parser.add_argument(
        "--data", type=Path, help="folder with train.*, dev.* and test.* in CoNLL/IOB or JSONL"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen = Screen(Console(width=None if sys.stdout.isatty() else 100))
    folder = Path(tempfile.mkdtemp(prefix="spanloop-demo-"))
    try:
        data = load(arguments.data)
        sizes = ", ".join(f"{len(getattr(data, split))} {split}" for split in SPLITS)
        screen.say(f"{data.name}: {sizes} texts")
        screen.step("start annotation, trainer, registry and inference")
        began = time.monotonic()
        with Stack(folder) as stack:
            screen.took(time.monotonic() - began)
            try:
                outcome = asyncio.run(_run(stack, data, screen))
            except (SpanloopError, StepError):
                for ended in stack.ended():
                    sys.stderr.write(stack.describe(ended) + "\n")
                raise
    except (DataError, SpanloopError, StepError, TimeoutError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(json.dumps(outcome.result()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
