"""Runs commands of the command line one after the other in one process, which starts it only once.

Reads pairs of arguments and environment (JSON) from stdin; prints status, stdout and stderr each.
"""

from __future__ import annotations

import json
import sys

from typer.testing import CliRunner

from spanloop.cli import app


def main() -> None:
    """Run what stdin says."""
    runner = CliRunner()
    results = []
    for arguments, env in json.load(sys.stdin):
        done = runner.invoke(app, arguments, env=env)
        # What the command line does not turn into a message would be a traceback.
        escaped = done.exception is not None and not isinstance(done.exception, SystemExit)
        told = f"Traceback: {done.exception!r}" if escaped else ""
        results.append([done.exit_code, done.stdout, done.stderr + told])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
