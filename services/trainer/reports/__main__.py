"""Makes a page in a process of its own: ``python -m services.trainer.reports``.

Reads ``{"report": …, "title": …, "facts": […], "epochs": […]}`` on standard input and writes the
page to standard output.
"""

from __future__ import annotations

import json
import sys

from services.trainer.reports.documents import report_of
from services.trainer.reports.page import PageFacts, page


def main() -> None:
    """Make one page."""
    given = json.load(sys.stdin.buffer)
    about = PageFacts(
        title=given["title"],
        facts=[(name, value) for name, value in given["facts"]],
        epochs=[(number, loss, f1) for number, loss, f1 in given["epochs"]],
    )
    sys.stdout.buffer.write(page(report_of(given["report"]), about).encode())


if __name__ == "__main__":
    main()
