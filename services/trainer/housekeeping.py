"""Removes working directories of jobs that are no longer needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from services.common.logs import get_logger
from services.trainer.job_state import LIVE_STATES, JobState

_log = get_logger(__name__)


def job_folders(jobs_dir: Path) -> list[str]:
    """Return the ids of the jobs that have a working directory."""
    if not jobs_dir.is_dir():
        return []
    return [entry.name for entry in jobs_dir.iterdir() if entry.is_dir()]


def superfluous(
    folders: Iterable[tuple[str, float]], states: Mapping[str, JobState], *, kept_failed: int
) -> list[str]:
    """Choose the working directories to remove.

    Args:
        folders: Job id and time of last change of each directory.
        states: The jobs' states; jobs that do not exist are absent.
        kept_failed: Failed jobs whose directories stay, the last changed ones.
    """
    failed, rest = [], []
    for job_id, changed in folders:
        match states.get(job_id):
            case JobState.FAILED:
                failed.append((changed, job_id))
            case state if state not in LIVE_STATES:
                rest.append(job_id)
    failed.sort(reverse=True)
    return [*rest, *(job_id for _, job_id in failed[kept_failed:])]


def tidy_jobs(
    jobs_dir: Path, listed: Iterable[str], states: Mapping[str, JobState], *, kept_failed: int
) -> None:
    """Remove the working directories of jobs that ended, but for the last failed ones.

    Args:
        jobs_dir: Where they lie.
        listed: Those that were there before the states were read: one that came later may be of
            a job that began meanwhile.
        states: As for ``superfluous``.
        kept_failed: As for ``superfluous``.
    """
    folders = []
    for job_id in listed:
        try:
            folders.append((job_id, (jobs_dir / job_id).stat().st_mtime))
        except FileNotFoundError:
            continue
    for job_id in superfluous(folders, states, kept_failed=kept_failed):
        _remove(jobs_dir / job_id)


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except (OSError, RecursionError) as error:
        # Scripts may leave folders deeper than can be walked.
        _log.warning("not_removed", path=path.name, error=str(error))
