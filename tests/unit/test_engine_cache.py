"""The activation cache on disk: bound, damage, crashes, several processes. No trunk involved."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.trainer.engines import activation_cache, cache_room, cache_segment
from services.trainer.engines.activation_cache import ActivationCache
from services.trainer.engines.cache_segment import INDEX, RECORD_BYTES, ROWS
from services.trainer.engines.state_rows import Spill, StateRows, Stretch

SHAPE = (2, 4)
ROW_BYTES = 16
LARGE = 1 << 20


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def states(number: int, rows: int = 10) -> NDArray[np.float16]:
    return np.random.default_rng(number).normal(size=(rows, *SHAPE)).astype(np.float16)


def opened(folder: Path, *, space: str = "space", max_bytes: int = LARGE) -> ActivationCache:
    cache = ActivationCache(folder, space, SHAPE, max_bytes=max_bytes)
    cache.refresh()
    return cache


def filled(folder: Path, numbers: range, **options: object) -> None:
    cache = opened(folder, **options)  # type: ignore[arg-type]
    for number in numbers:
        assert cache.put(key(number), states(number)) is not None
    cache.close()


def there(cache: ActivationCache, numbers: range) -> set[int]:
    """Return which of the pieces are there; what is there must be whole."""
    found = set()
    for number in numbers:
        stretch = cache.get(key(number))
        if stretch is not None:
            np.testing.assert_array_equal(read(stretch), states(number))
            found.add(number)
    return found


def read(stretch: Stretch) -> NDArray[np.float16]:
    return stretch.source.rows()[stretch.start : stretch.start + stretch.count]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"*/*{ROWS}"))


def used_by(folder: Path, numbers: range, when: int) -> None:
    """Set the time of last use of the segments that hold these pieces."""
    cache = opened(folder)
    for number in numbers:
        entry = cache._entries[key(number)]
        os.utime(entry.segment.with_suffix(ROWS), (when, when))


def test_what_one_process_stored_another_finds(tmp_path: Path) -> None:
    other = opened(tmp_path)
    filled(tmp_path, range(20))
    assert there(other, range(20)) == set()
    other.refresh()
    assert there(other, range(25)) == set(range(20))
    assert (other.damaged, other.full, other.trouble) == (0, False, "")
    assert opened(tmp_path, space="other").get(key(0)) is None


def test_a_half_full_segment_is_gone_on_with(tmp_path: Path) -> None:
    for number in range(10):
        filled(tmp_path, range(number, number + 1))
    assert len(list(tmp_path.glob(f"*/*{ROWS}"))) == 1
    assert there(opened(tmp_path), range(10)) == set(range(10))


def test_only_one_process_appends_to_a_segment(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    for number in range(0, 20, 2):
        first.put(key(number), states(number))
        second.put(key(number + 1), states(number + 1))
    assert len(list(tmp_path.glob(f"*/*{ROWS}"))) == 2
    assert there(opened(tmp_path), range(20)) == set(range(20))


def test_the_bound_holds_and_the_least_recently_used_go(tmp_path: Path) -> None:
    bound = 64 * (5 * (10 * ROW_BYTES + RECORD_BYTES))  # each segment holds five pieces
    filled(tmp_path, range(5), max_bytes=bound)
    filled(tmp_path, range(5, 10), max_bytes=bound)
    filled(tmp_path, range(10, 320), max_bytes=bound)
    assert size_of(tmp_path) == bound
    assert there(opened(tmp_path), range(320)) == set(range(320))
    used_by(tmp_path, range(10), when=1)
    opened(tmp_path).get(key(0))  # a use: now the second five are the oldest
    filled(tmp_path, range(400, 405), space="other", max_bytes=bound)
    assert size_of(tmp_path) == bound
    kept = there(opened(tmp_path), range(320))
    assert kept == set(range(320)) - set(range(5, 10))
    assert there(opened(tmp_path, space="other"), range(400, 405)) == set(range(400, 405))


def test_a_lowered_bound_holds_at_once(tmp_path: Path) -> None:
    filled(tmp_path, range(300))
    assert size_of(tmp_path) > 20_000
    opened(tmp_path, max_bytes=20_000)
    assert size_of(tmp_path) <= 20_000
    opened(tmp_path, max_bytes=0)
    assert [path.name for path in tmp_path.iterdir()] == [cache_room.LOCK]


def test_what_is_in_use_is_not_evicted_and_the_rest_not_kept(tmp_path: Path) -> None:
    cache = opened(tmp_path, max_bytes=4000)
    kept = {}
    for number in range(100):
        stretch = cache.put(key(number), states(number))
        if stretch is not None:
            kept[number] = stretch
    assert cache.full
    assert not cache.trouble
    assert 0 < len(kept) < 100
    other = opened(tmp_path, max_bytes=4000)
    assert other.put(key(200), states(200)) is None
    assert other.full
    for number, stretch in kept.items():
        np.testing.assert_array_equal(read(stretch), states(number))
    assert size_of(tmp_path) <= 4000
    cache.close()
    del cache, kept, stretch, other
    # Nobody uses it any more: now there is room.
    last = opened(tmp_path, max_bytes=4000)
    assert last.put(key(200), states(200)) is not None
    assert size_of(tmp_path) <= 4000


def test_a_piece_larger_than_the_bound_evicts_nothing(tmp_path: Path) -> None:
    filled(tmp_path, range(5), max_bytes=20_000)
    cache = opened(tmp_path, max_bytes=20_000)
    assert cache.put(key(9), states(9, rows=2000)) is None
    assert cache.full
    assert there(opened(tmp_path), range(5)) == set(range(5))


def test_deleting_the_folder_takes_nothing_from_a_reader(tmp_path: Path) -> None:
    filled(tmp_path / "cache", range(5))
    cache = opened(tmp_path / "cache")
    stretches = [cache.get(key(number)) for number in range(5)]
    shutil.rmtree(tmp_path / "cache")
    for number, stretch in enumerate(stretches):
        assert stretch is not None
        np.testing.assert_array_equal(read(stretch), states(number))
    assert cache.put(key(7), states(7)) is not None
    assert there(opened(tmp_path / "cache"), range(10)) == {7}


def one(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*/*{suffix}")
    return path


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_a_flipped_bit_costs_one_piece_once(tmp_path: Path) -> None:
    filled(tmp_path, range(10))
    path = one(tmp_path, ROWS)
    before = path.read_bytes()[3 * 160 + 7]
    overwrite(path, 3 * 160 + 7, bytes([before ^ 1]))
    cache = opened(tmp_path)
    assert there(cache, range(10)) == set(range(10)) - {3}
    assert cache.damaged == 1
    assert cache.put(key(3), states(3)) is not None
    again = opened(tmp_path)
    assert there(again, range(10)) == set(range(10))
    assert again.damaged == 0


def test_a_truncated_file_keeps_what_is_left(tmp_path: Path) -> None:
    filled(tmp_path, range(10))
    os.truncate(one(tmp_path, ROWS), 5 * 160 + 30)
    cache = opened(tmp_path)
    assert there(cache, range(10)) == set(range(5))
    assert cache.damaged == 5
    filled(tmp_path, range(5, 10))
    assert there(opened(tmp_path), range(10)) == set(range(10))


@pytest.mark.parametrize("suffix", [ROWS, INDEX])
def test_a_missing_file_is_a_missing_segment(tmp_path: Path, suffix: str) -> None:
    filled(tmp_path, range(10))
    cache = opened(tmp_path)
    one(tmp_path, suffix).unlink()
    if suffix == ROWS:
        assert there(cache, range(10)) == set()
        assert cache.damaged == 0
    filled(tmp_path, range(10))
    assert there(opened(tmp_path), range(10)) == set(range(10))


def test_damage_to_the_index_costs_its_records(tmp_path: Path) -> None:
    filled(tmp_path, range(10))
    path = one(tmp_path, INDEX)
    overwrite(path, 2 * RECORD_BYTES + 33, b"\xff")
    os.truncate(path, 8 * RECORD_BYTES - 1)
    cache = opened(tmp_path)
    assert there(cache, range(10)) == {0, 1, 3, 4, 5, 6}
    for number in (2, 7, 8, 9):
        cache.put(key(number), states(number))
    assert there(opened(tmp_path), range(10)) == set(range(10))
    path.write_bytes(os.urandom(999))
    assert there(opened(tmp_path), range(10)) == set()


CHILD = """
import os, signal, sys
from pathlib import Path
from services.trainer.engines import cache_room, cache_segment
from tests.unit.test_engine_cache import filled, opened

def die():
    os.kill(os.getpid(), signal.SIGKILL)

step, folder = sys.argv[1], Path(sys.argv[2])
real, calls = cache_segment.write_at, []

def torn(descriptor, data, offset):
    calls.append(offset)
    if step == f"write {len(calls)}":
        real(descriptor, data[: len(data) // 2], offset)
        die()
    real(descriptor, data, offset)

cache_segment.write_at = torn
if step == "size":
    os.ftruncate = lambda *_: die()
if step == "index":
    opening = os.open
    os.open = lambda path, *rest: (
        die() if str(path).endswith(".index") else opening(path, *rest)
    )
if step == "evict":
    opened(folder)
    Path.unlink = lambda path, missing_ok=False: (
        die() if path.suffix == ".rows" else os.unlink(path)
    )
    opened(folder, max_bytes=0)
filled(folder, range(100, 110))
print("done")
"""


def child(step: str, folder: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, step, str(folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'sdk'}:{root}"},
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("step", "kept"),
    [("size", 0), ("index", 0), ("write 1", 0), ("write 2", 0), ("write 3", 1), ("write 8", 3)],
)
def test_a_kill_at_any_step_leaves_a_usable_cache(tmp_path: Path, step: str, kept: int) -> None:
    with child(step, tmp_path) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    cache = opened(tmp_path)
    assert there(cache, range(100, 110)) == set(range(100, 100 + kept))
    assert cache.damaged == 0
    cache.close()
    filled(tmp_path, range(100 + kept, 110))
    assert there(opened(tmp_path), range(100, 110)) == set(range(100, 110))


def test_a_kill_while_evicting_leaves_a_usable_cache(tmp_path: Path) -> None:
    filled(tmp_path, range(10))
    with child("evict", tmp_path) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert there(opened(tmp_path), range(10)) == set()
    filled(tmp_path, range(10))
    assert there(opened(tmp_path), range(10)) == set(range(10))
    opened(tmp_path, max_bytes=0)
    assert not list(tmp_path.glob("*/*"))


def test_several_processes_fill_at_once(tmp_path: Path) -> None:
    processes = [child("none", tmp_path) for _ in range(3)]
    for process in processes:
        output, _ = process.communicate()
        assert output == b"done\n"
    cache = opened(tmp_path)
    assert there(cache, range(100, 110)) == set(range(100, 110))
    assert cache.damaged == 0


def test_eviction_by_another_process_takes_nothing_from_a_reader(tmp_path: Path) -> None:
    filled(tmp_path, range(10))
    cache = opened(tmp_path)
    stretch = cache.get(key(4))
    assert stretch is not None
    program = (
        "import sys; from pathlib import Path\n"
        "from services.trainer.engines.cache_room import locked, make_room\n"
        "folder = Path(sys.argv[1])\n"
        "with locked(folder): print(make_room(folder, 0))\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(tmp_path)]
    answer = subprocess.run(command, cwd=root, capture_output=True, check=True)
    assert answer.stdout == b"False\n"
    np.testing.assert_array_equal(read(stretch), states(4))
    del cache, stretch
    answer = subprocess.run(command, cwd=root, capture_output=True, check=True)
    assert answer.stdout == b"True\n"


def test_a_full_disk_is_said_and_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = opened(tmp_path)
    assert cache.put(key(0), states(0)) is not None

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_segment, "write_at", full)
    assert cache.put(key(1), states(1)) is None
    assert cache.trouble == "No space left on device"
    assert there(cache, range(2)) == {0}
    monkeypatch.undo()
    filled(tmp_path, range(1, 3))
    assert there(opened(tmp_path), range(3)) == {0, 1, 2}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the directory belongs")
    cache = opened(tmp_path / "cache")
    assert cache.trouble
    assert cache.put(key(0), states(0)) is None
    assert cache.get(key(0)) is None


def test_a_paused_holder_of_the_lock_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, range(3))
    monkeypatch.setattr(cache_room, "_LOCK_SECONDS", 0.0)
    with (tmp_path / cache_room.LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cache = opened(tmp_path)
        assert "lock" in cache.trouble
        assert there(cache, range(3)) == {0, 1, 2}
    assert opened(tmp_path).trouble == ""


def test_the_segments_grow_with_the_bound() -> None:
    # A job maps every segment that it reads: their number must stay far below a process's files.
    assert activation_cache._SEGMENTS <= 128


def test_rows_of_several_files_read_like_one_array(tmp_path: Path) -> None:
    spills = [Spill(tmp_path, SHAPE), Spill(tmp_path, SHAPE)]
    parts = [states(number, rows) for number, rows in enumerate([3, 5, 1, 4])]
    stretches = [spills[index % 2].append(part) for index, part in enumerate(parts)]
    rows = StateRows.join(stretches, SHAPE)
    for spill in spills:
        spill.close()
    whole = np.concatenate(parts)
    assert rows.shape == whole.shape
    assert len(rows) == len(whole)
    for wanted in (np.asarray([12, 0, 3, 3, 8]), np.asarray([4, 3]), np.empty(0, dtype=np.int64)):
        np.testing.assert_array_equal(rows[wanted], whole[wanted])
    np.testing.assert_array_equal(rows[2:10], whole[2:10])
    part = rows.take(np.asarray([9, 1, 2]))
    np.testing.assert_array_equal(part[np.asarray([2, 0])], whole[[2, 9]])
    assert StateRows.join([], SHAPE).shape == (0, *SHAPE)
    assert not list(tmp_path.iterdir())
