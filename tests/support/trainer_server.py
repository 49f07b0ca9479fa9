"""A trainer in a process of its own, with the child that computes nothing.

``python -m tests.support.trainer_server <control folder>``; settings come from the environment.
"""

from __future__ import annotations

import sys
from functools import partial

from services.common.main import main
from services.trainer.bootstrap import build
from services.trainer.config import TrainerSettings
from tests.support.trainer import fake_child, no_gpu

if __name__ == "__main__":
    control = sys.argv.pop()
    main(TrainerSettings, partial(build, child_command=fake_child(control), probe=no_gpu))
