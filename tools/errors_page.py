"""Write docs/errors.md from the comments of protos/spanloop/common/v1/error.proto (`make gen`).

With --check nothing is changed: the exit status says whether the page is what the proto gives.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "protos" / "spanloop" / "common" / "v1" / "error.proto"
PAGE = ROOT / "docs" / "errors.md"
HEADER = """\
# Errors

Every refused call carries a gRPC status code, a message that says what to do, and
[google.rpc](https://cloud.google.com/apis/design/errors) details: `ErrorInfo` with one of the
reasons below (domain `spanloop.dev`) and metadata, `BadRequest` with the bad fields of the
request, `RetryInfo` when trying again later makes sense. Texts of exceptions and of database
drivers never reach a caller.

The SDK raises `spanloop.errors.SpanloopError` or one of its subclasses, one per code, with
`.reason`, `.metadata`, `.violations` and `.retry_after`; it reads them from the details, never
from the message.

A deadline that passes on the client's side is reported by gRPC itself, without details.

| Reason | Code and meaning |
|---|---|
"""
FOOTER = """
This page is made from the comments in `protos/spanloop/common/v1/error.proto` by `make gen`.
"""


def page() -> str:
    """Return the page's content."""
    rows: list[str] = []
    comment: list[str] = []
    for line in PROTO.read_text(encoding="utf-8").splitlines():
        stripped = line.strip()
        if stripped.startswith("//"):
            comment.append(stripped.removeprefix("//").strip())
        elif found := re.match(r"ERROR_REASON_(\w+) = (\d+);", stripped):
            if found[2] != "0":
                rows.append(f"| `{found[1]}` | {' '.join(comment)} |")
            comment = []
        else:
            comment = []
    return HEADER + "\n".join(rows) + "\n" + FOOTER


def main() -> int:
    """Write the page, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    if parser.parse_args().check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
            sys.stderr.write("docs/errors.md is not what the proto gives (run `make gen`)\n")
            return 1
        return 0
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
