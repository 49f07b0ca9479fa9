"""`python -m spanloop.cli`: the command line where no script directory is on the path."""

from __future__ import annotations

from spanloop.cli import main

if __name__ == "__main__":
    main()
