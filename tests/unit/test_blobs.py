from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.blobs import BlobStore, Hold, LocalCache, digest_of, key_of
from services.common.errors import (
    DataLossError,
    InvalidArgumentError,
    NotFoundError,
    Reason,
    UnavailableError,
)

DATA = bytes(range(256)) * 5_000
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    kind = request.param
    return BlobStore.from_url("memory:///" if kind == "memory" else f"file://{tmp_path}/artifacts")


@pytest.fixture
def local(tmp_path: Path) -> BlobStore:
    return BlobStore.from_url(f"file://{tmp_path}/artifacts")


def object_path(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "artifacts" / key_of(digest)


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


async def pieces(data: bytes, size: int, then: Exception | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)
    if then is not None:
        raise then


async def joined(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=len)
async def test_put_then_read_every_way(store: BlobStore, data: bytes) -> None:
    digest = await store.put(data)
    assert digest == "sha256:" + hashlib.sha256(data).hexdigest() == digest_of(data)
    assert await store.put(data) == digest
    assert await store.get(digest) == data
    assert await joined(store.get_stream(digest, 1_000)) == data
    assert await store.exists(digest)
    assert await store.head(digest) == len(data)


def test_the_layout_is_stable(tmp_path: Path) -> None:
    assert key_of("sha256:ab" + "c" * 62) == "sha256/ab/" + "c" * 62


async def test_pieces_have_the_size_asked_for(store: BlobStore) -> None:
    await store.put(DATA)
    sizes = [len(piece) async for piece in store.get_stream(DIGEST, 100_000)]
    assert sizes == [100_000] * 12 + [80_000]


async def test_missing(store: BlobStore) -> None:
    assert not await store.exists(DIGEST)
    for read in (store.get(DIGEST), store.head(DIGEST), joined(store.get_stream(DIGEST))):
        with pytest.raises(NotFoundError) as caught:
            await read
        assert caught.value.metadata["resource"] == f"artifact {DIGEST}"


@pytest.mark.parametrize(
    "bad",
    ["", "sha256:", "md5:" + "0" * 64, "sha256:../../../etc/passwd", DIGEST.upper(), DIGEST + "\n"],
)
async def test_what_is_no_digest_never_becomes_a_path(store: BlobStore, bad: str) -> None:
    for call in (store.get(bad), store.exists(bad), store.put_stream(pieces(b"x", 1), bad)):
        with pytest.raises(InvalidArgumentError):
            await call


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "longer"])
async def test_damaged_bytes_are_refused_and_put_repairs_them(
    local: BlobStore, tmp_path: Path, damage: str
) -> None:
    await local.put(DATA)
    path = object_path(tmp_path, DIGEST)
    match damage:
        case "torn":
            os.truncate(path, len(DATA) // 2)
        case "flipped":
            path.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
        case "empty":
            os.truncate(path, 0)
        case _:
            path.write_bytes(DATA + b"\0")
    with pytest.raises(DataLossError) as caught:
        await local.get(DIGEST)
    assert caught.value.reason is Reason.ARTIFACT_CORRUPT
    with pytest.raises(DataLossError):
        await joined(local.get_stream(DIGEST, 300_000))
    await local.put(DATA)
    assert await local.get(DIGEST) == DATA


async def test_put_stream(store: BlobStore) -> None:
    assert await store.put_stream(pieces(DATA, 70_001), DIGEST) == (DIGEST, len(DATA))
    assert await store.get(DIGEST) == DATA
    assert await store.put_stream(pieces(b"", 1), digest_of(b"")) == (digest_of(b""), 0)
    assert await store.get(digest_of(b"")) == b""


# 12 MB: beyond one part of a multipart upload
@pytest.mark.parametrize("size", [1_000, 12_000_000])
async def test_a_stream_with_another_digest_leaves_nothing(
    store: BlobStore, tmp_path: Path, size: int
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await store.put_stream(pieces(b"y" * size, 500_000), DIGEST)
    assert caught.value.reason is Reason.ARTIFACT_CORRUPT
    assert caught.value.metadata["expected"] == DIGEST
    assert not await store.exists(DIGEST)
    assert files(tmp_path) == []


@pytest.mark.parametrize("size", [1_000, 12_000_000])
async def test_a_stream_that_breaks_leaves_nothing_and_says_why(
    store: BlobStore, tmp_path: Path, size: int
) -> None:
    data = b"z" * size
    broken = RuntimeError("the client went away")
    with pytest.raises(RuntimeError, match="went away"):
        await store.put_stream(pieces(data, 500_000, then=broken), digest_of(data))
    assert not await store.exists(digest_of(data))
    assert files(tmp_path) == []


async def test_a_refused_stream_leaves_what_was_there(store: BlobStore) -> None:
    await store.put(DATA)
    with pytest.raises(InvalidArgumentError):
        await store.put_stream(pieces(b"other", 2), DIGEST)
    assert await store.get(DIGEST) == DATA


async def test_a_cancelled_stream_leaves_nothing(local: BlobStore, tmp_path: Path) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000
            started.set()
            await asyncio.sleep(0.001)

    task = asyncio.create_task(local.put_stream(endless(), DIGEST))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await local.exists(DIGEST)


async def test_concurrent_puts_of_the_same_bytes(store: BlobStore, tmp_path: Path) -> None:
    async def read_until_there() -> bytes:
        while not await store.exists(DIGEST):  # noqa: ASYNC110 - another's write is awaited
            await asyncio.sleep(0)
        return await store.get(DIGEST)

    reader = asyncio.create_task(read_until_there())
    digests = await asyncio.gather(
        *(store.put(DATA) for _ in range(8)),
        *(store.put_stream(pieces(DATA, 99_999), DIGEST) for _ in range(4)),
    )
    assert set(digests) == {DIGEST, (DIGEST, len(DATA))}
    assert await reader == DATA
    assert len(files(tmp_path)) in (0, 1)


async def test_a_file_shows_under_its_name_only_after_it_was_flushed(
    local: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = object_path(tmp_path, DIGEST)
    seen: list[tuple[str, bool]] = []
    real = os.fsync

    def watched(handle: int) -> None:
        name = str(Path(f"/proc/self/fd/{handle}").readlink())
        seen.append((name, target.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", watched)
    await local.put(DATA)
    assert "/staged/" in seen[0][0]
    assert seen[0][1] is False
    assert [(Path(name), there) for name, there in seen[1:]] == [
        (target.parent, True),
        (target.parent.parent, True),
        (target.parent.parent.parent, True),
    ]


async def test_the_stores_own_errors_do_not_leak(local: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "staged").write_bytes(b"a file where a directory belongs")
    with pytest.raises(UnavailableError) as caught:
        await local.put(DATA)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert "staged" not in caught.value.message
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("url", ["", "ftp://host/x", "file://host/x", "file:///", "/plain/path"])
def test_urls_of_other_forms_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"artifact|file URL"):
        BlobStore.from_url(url)


class Source:
    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.calls = 0

    async def __call__(self) -> bytes:
        self.calls += 1
        await asyncio.sleep(0.01)
        return self.data


async def test_the_cache_fetches_once(tmp_path: Path) -> None:
    cache, source = LocalCache(tmp_path / "cache"), Source()
    answers = await asyncio.gather(*(cache.get_or_fetch(DIGEST, source) for _ in range(5)))
    assert set(answers) == {DATA}
    path = await cache.path_of(DIGEST, source)
    assert path.read_bytes() == DATA
    assert await LocalCache(tmp_path / "cache").get_or_fetch(DIGEST, source) == DATA
    assert source.calls == 1
    assert files(tmp_path) == [path]


@pytest.mark.parametrize(
    "damaged", [b"", DATA[:100], DATA[:-1] + b"?"], ids=["empty", "torn", "flipped"]
)
async def test_the_cache_refetches_a_damaged_file(tmp_path: Path, damaged: bytes) -> None:
    cache, source = LocalCache(tmp_path), Source()
    path = await cache.path_of(DIGEST, source)
    path.write_bytes(damaged)
    assert await cache.get_or_fetch(DIGEST, source) == DATA
    assert source.calls == 2
    assert path.read_bytes() == DATA


async def test_the_cache_refuses_what_the_source_got_wrong(tmp_path: Path) -> None:
    cache = LocalCache(tmp_path)
    with pytest.raises(DataLossError):
        await cache.get_or_fetch(DIGEST, Source(DATA[:-1]))
    assert files(tmp_path) == []
    assert await cache.get_or_fetch(DIGEST, Source()) == DATA


async def test_a_cache_that_cannot_write_still_answers(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the directory belongs")
    cache, source = LocalCache(tmp_path / "cache"), Source()
    assert await cache.get_or_fetch(DIGEST, source) == DATA
    assert await cache.get_or_fetch(DIGEST, source) == DATA
    assert source.calls == 2
    with pytest.raises(UnavailableError):
        await cache.path_of(DIGEST, source)


def parts(count: int, size: int = 1000) -> list[bytes]:
    return [bytes([number]) * size for number in range(count)]


async def fill(cache: LocalCache, *datas: bytes, hold: Hold | None = None) -> None:
    """Bring artifacts into a cache, each used later than the one before."""
    for data in datas:

        async def fetch(data: bytes = data) -> bytes:
            return data

        await cache.get_or_fetch(digest_of(data), fetch, hold)
        await asyncio.sleep(0.002)  # file times are compared


def kept(folder: Path, *datas: bytes) -> list[bool]:
    return [(folder / key_of(digest_of(data))).is_file() for data in datas]


async def test_the_cache_removes_what_was_used_longest_ago(tmp_path: Path) -> None:
    one, two, three, four = parts(4)
    cache = LocalCache(tmp_path, limit_bytes=3000)
    await fill(cache, one, two, three)
    assert kept(tmp_path, one, two, three) == [True, True, True]
    await fill(cache, one, four)  # the first was used again
    assert kept(tmp_path, one, two, three, four) == [True, False, True, True]
    # Another process over the same directory, with less room: what comes stays.
    await fill(LocalCache(tmp_path, limit_bytes=500), two)
    assert kept(tmp_path, one, two, three, four) == [False, True, False, False]


async def test_the_cache_never_removes_what_is_held(tmp_path: Path) -> None:
    one, two, three, four = parts(4)
    cache = LocalCache(tmp_path, limit_bytes=1500)
    hold, other = cache.hold(), cache.hold()
    await fill(cache, one, hold=hold)
    await fill(cache, one, two, hold=other)
    await fill(cache, three)
    assert kept(tmp_path, one, two, three) == [True, True, True]  # beyond the limit
    other.release()
    other.release()
    await fill(cache, four)
    assert kept(tmp_path, one, two, three, four) == [True, False, False, True]
    hold.release()
    await fill(cache, two)
    assert kept(tmp_path, one, two, four) == [False, True, False]


async def test_files_that_a_dead_process_left_half_written_are_removed(tmp_path: Path) -> None:
    (one,) = parts(1)
    staged = [tmp_path / f"{key_of(digest_of(data))}.{data[0]:032x}" for data in parts(2)]
    foreign = staged[0].with_name("notes.txt")
    staged.append(foreign)
    for file in staged:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"torn")
    long_ago = time.time() - 2 * 3600
    for file in (staged[0], foreign):
        os.utime(file, (long_ago, long_ago))
    await fill(LocalCache(tmp_path, limit_bytes=10_000), one)
    assert [file.exists() for file in staged] == [False, True, True]
    assert kept(tmp_path, one) == [True]


async def test_a_full_cache_is_safe_with_many_loads_at_once(tmp_path: Path) -> None:
    """Whoever asks gets the right bytes, and what is held is there at every moment."""
    datas = parts(12)
    cache = LocalCache(tmp_path, limit_bytes=4000)
    held = datas[:3]
    hold = cache.hold()
    await fill(cache, *held, hold=hold)

    async def ask(order: int) -> None:
        for step in range(len(datas)):
            data = datas[(order * 5 + step * 7) % len(datas)]

            async def fetch(data: bytes = data) -> bytes:
                return data

            own = cache.hold()
            assert await cache.get_or_fetch(digest_of(data), fetch, own) == data
            assert kept(tmp_path, data, *held) == [True] * 4
            own.release()

    await asyncio.gather(*(ask(order) for order in range(6)))
    await fill(cache, parts(13)[-1])
    assert sum(kept(tmp_path, *parts(13))) <= 4


async def test_what_is_stored_is_listed_and_removed(store: BlobStore) -> None:
    assert await store.list() == []
    digests = {await store.put(data): len(data) for data in (b"a", b"bc" * 3_000_000)}
    found = await store.list()
    assert {one.digest: one.size for one in found} == digests
    assert all(abs(one.modified / 1e6 - time.time()) < 3600 for one in found)
    for one in found:
        assert await store.delete(one.key)
    assert await store.list() == []
    with pytest.raises(NotFoundError):
        await store.get(found[0].digest)


async def test_leftovers_of_uploads_are_listed_without_digest(
    local: BlobStore, tmp_path: Path
) -> None:
    await local.put(DATA)
    left = tmp_path / "artifacts" / "staged" / "abc"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"torn")
    (one,) = [one for one in await local.list() if not one.digest]
    assert (one.key, one.size) == ("staged/abc", 4)
    assert await local.delete(one.key)
    assert not left.exists()
    assert not await local.delete(one.key)  # gone is gone
