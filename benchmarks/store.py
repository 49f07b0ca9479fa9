"""What the annotation service costs with 10,000 and with 100,000 annotated tasks.

    python -m benchmarks.store [--sizes 10000 100000]

Each size gets a service process of its own on the embedded store, and is measured over gRPC as a
client sees it: importing JSON lines with a submitted completion each, reading single tasks, the
first page and page 1,000 of the list (10 tasks to a page), a list filtered by tag and label, a page
of the selection, and taking a snapshot of everything. The last line is one JSON object; each figure
is there for each size, so that what grows with the store can be seen: `import_tasks_per_s`,
`get_p50_ms`, `get_p99_ms`, `list_first_p50_ms`, `list_first_p99_ms`, `list_late_p50_ms`,
`list_late_p99_ms`, `filter_p50_ms`, `filter_p99_ms`, `selection_p50_ms`, `selection_p99_ms`,
`snapshot_s`, `database_mb`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc

from examples.demo.data import load
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1 import annotation_service_pb2_grpc, selection_pb2
from spanloop.annotation.v1.project_pb2 import Project

ROOT = Path(__file__).parents[1]
TOKEN = "benchmark"  # noqa: S105 - of a server on loopback that lives for a minute
_CHUNK = 256 * 1024
_PAGE = 10
_LATE = 1_000
# A tag that one task in a hundred has, so that the filter has to look for its page.
_RARE = 100


@contextmanager
def service(folder: Path) -> Iterator[annotation_service_pb2_grpc.AnnotationServiceStub]:
    """Run an annotation service on a folder and connect to it."""
    port_file = folder / "port"
    process = subprocess.Popen(
        [sys.executable, "-m", "services.annotation"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            **{name: value for name, value in os.environ.items() if "SPANLOOP" not in name},
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}",
            "SPANLOOP_DATA_DIR": str(folder),
            "SPANLOOP_TOKEN": TOKEN,
            "SPANLOOP_ANNOTATION_LISTEN": "127.0.0.1:0",
            "SPANLOOP_ANNOTATION_PORT_FILE": str(port_file),
        },
    )
    try:
        while not port_file.exists():
            if process.poll() is not None:
                raise SystemExit("the annotation service did not start")
            time.sleep(0.05)
        channel = grpc.insecure_channel(port_file.read_text().strip())
        with channel:
            yield annotation_service_pb2_grpc.AnnotationServiceStub(channel)
    finally:
        process.terminate()
        process.wait(30)


def lines(count: int) -> Iterator[bytes]:
    """Yield annotated tasks made of the sample clauses, each text once."""
    data = load(None)
    clauses = [json.loads(line) for line in data.file(data.train).splitlines() if line.strip()]
    for number in range(count):
        clause = clauses[number % len(clauses)]
        task = {
            "id": f"task-{number:07d}",
            "text": f"{clause['text']} [{number}]",
            "spans": clause.get("spans", []),
            "tags": ["rare"] if number % _RARE == 0 else ["usual"],
        }
        yield json.dumps(task).encode() + b"\n"


def requests(parent: str, count: int) -> Iterator[pb.ImportTasksRequest]:
    """Yield the messages of an import."""
    yield pb.ImportTasksRequest(
        header=pb.ImportTasksHeader(parent=parent, create_labels=True, source_name="benchmark")
    )
    buffer = bytearray()
    for line in lines(count):
        buffer += line
        if len(buffer) >= _CHUNK:
            yield pb.ImportTasksRequest(chunk=bytes(buffer))
            buffer.clear()
    yield pb.ImportTasksRequest(chunk=bytes(buffer))


def measured(call: Callable[[int], object], times: int) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds of so many calls in a row."""
    call(0)
    took = []
    for number in range(times):
        started = time.perf_counter()
        call(number)
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    return round(took[len(took) // 2], 2), round(took[int(len(took) * 0.99)], 2)


def run(count: int) -> dict[str, float]:
    """Measure one size."""
    with tempfile.TemporaryDirectory() as scratch, service(Path(scratch)) as stub:
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        parent = stub.CreateProject(
            pb.CreateProjectRequest(project_id="p", project=Project()), metadata=metadata
        ).project.name
        # Made before the clock runs, as a file would be.
        messages = list(requests(parent, count))
        started = time.perf_counter()
        report = stub.ImportTasks(iter(messages), metadata=metadata)
        took = time.perf_counter() - started
        if report.imported_tasks != count:
            raise SystemExit(f"imported {report.imported_tasks} of {count}: {report.errors[:3]}")
        names, late = [], ""
        request = pb.ListTasksRequest(parent=parent, page_size=_PAGE)
        for page in range(1, _LATE):
            answer = stub.ListTasks(request, metadata=metadata)
            names += [task.name for task in answer.tasks]
            request.page_token = answer.next_page_token
            if page == _LATE - 1 or not answer.next_page_token:
                late = request.page_token
                break
        chosen = random.Random(0).choices(names, k=1_000)  # noqa: S311 - which ones is no secret
        figures: dict[str, float] = {"import_tasks_per_s": round(count / took)}
        first = pb.ListTasksRequest(parent=parent, page_size=_PAGE)
        last = pb.ListTasksRequest(parent=parent, page_size=_PAGE, page_token=late)
        rare = pb.ListTasksRequest(
            parent=parent,
            page_size=_PAGE,
            filter=selection_pb2.TaskFilter(
                tags_any=["rare"], labels_any=[report.created_labels[0]]
            ),
        )
        preview = pb.PreviewSelectionRequest(parent=parent, page_size=_PAGE)
        calls: dict[str, tuple[Callable[[int], object], int]] = {
            "get": (
                lambda n: stub.GetTask(
                    pb.GetTaskRequest(name=chosen[n % len(chosen)]), metadata=metadata
                ),
                1_000,
            ),
            "list_first": (lambda _: stub.ListTasks(first, metadata=metadata), 300),
            "list_late": (lambda _: stub.ListTasks(last, metadata=metadata), 300),
            "filter": (lambda _: stub.ListTasks(rare, metadata=metadata), 300),
            "selection": (lambda _: stub.PreviewSelection(preview, metadata=metadata), 300),
        }
        for name, (call, times) in calls.items():
            figures[f"{name}_p50_ms"], figures[f"{name}_p99_ms"] = measured(call, times)
        started = time.perf_counter()
        stub.CreateSnapshot(pb.CreateSnapshotRequest(parent=parent), metadata=metadata)
        figures["snapshot_s"] = round(time.perf_counter() - started, 2)
        size = sum(file.stat().st_size for file in Path(scratch).rglob("*.db*"))
        figures["database_mb"] = round(size / 1e6, 1)
        return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    sizes = parser.parse_args(arguments).sizes
    by_size = {}
    for size in sizes:
        by_size[f"{size // 1000}k"] = found = run(size)
        sys.stdout.write(f"{size} tasks: {json.dumps(found)}\n")
        sys.stdout.flush()
    names = list(next(iter(by_size.values())))
    sys.stdout.write(
        json.dumps({name: {size: found[name] for size, found in by_size.items()} for name in names})
        + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
