"""What the benchmarks of serving share: figures, texts, load, peers and the recorded session."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from benchmarks.serving.figures import goals, p50, p99, quantile, slope
from benchmarks.serving.gauge import GaugeWatch
from benchmarks.serving.load import offer
from benchmarks.serving.models import TrunkFolder, label_names, random_adapter
from benchmarks.serving.runner import runner
from benchmarks.serving.servers import servers
from benchmarks.serving.session import bare_calls, engine_run, load_models, replay
from benchmarks.serving.texts import pieces_of, text_of
from services.common.modeling.adapter import load_adapter
from services.common.modeling.manifest import AdapterManifest
from services.common.modeling.tokenisation import TextTokenizer
from tests.support.benchmarks import write_tiny_trunk
from tests.support.inference import tiny_tokenizer, until


def test_quantiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert (p50(values), p99(values), quantile(values, 1.0)) == (50.0, 99.0, 100.0)
    assert p99([3.0]) == 3.0
    with pytest.raises(ValueError, match="nothing"):
        p50([])


def test_the_slope_is_that_of_least_squares() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2.0)
    assert slope([(0, 0), (1, 1), (2, 0)]) == pytest.approx(0.0)
    assert slope([(4, 7)]) == 0.0
    with pytest.raises(ValueError, match="nothing"):
        slope([])


def test_goals_say_which_are_missed() -> None:
    assert goals(one=True, two=False) == {"goals_met": ["one"], "goals_missed": ["two"]}


def test_texts_have_exactly_the_pieces_that_are_wanted() -> None:
    count = pieces_of(TextTokenizer.from_bytes(tiny_tokenizer()))
    texts = [text_of(count, 20, seed) for seed in range(4)]
    assert [count(text) for text in texts] == [20] * 4
    assert len(set(texts)) == 4
    with pytest.raises(ValueError, match="1 pieces"):
        text_of(lambda text: 2 * len(text.split()), 1)


def test_random_adapters_load_and_differ_by_seed(tmp_path: Path) -> None:
    trunk = TrunkFolder.open(write_tiny_trunk(tmp_path))
    first, second = (random_adapter(trunk.manifest, "L000", seed) for seed in (1, 2))
    assert load_adapter(first.manifest, first.weights).label == "L000"
    assert AdapterManifest.from_bytes(first.manifest).trunk_digest == trunk.manifest.digest
    assert first.weights != second.weights
    with pytest.raises(SystemExit, match="no exported trunk"):
        TrunkFolder.open(tmp_path / "gone")


async def test_load_does_not_wait_for_answers() -> None:
    release = asyncio.Event()
    dues: list[float] = []

    async def send(number: int, due: float) -> None:
        dues.append(due)
        if number == 4:
            # All five are under way although none was answered.
            release.set()
        await release.wait()

    assert await offer(200, send, seconds=0.025) == 5
    steps = np.diff(dues)
    assert steps == pytest.approx([1 / 200] * 4)


async def test_load_ends_with_its_event_and_with_the_error_of_a_call() -> None:
    stop = asyncio.Event()

    async def send(number: int, due: float) -> None:
        if number == 2:
            stop.set()

    assert await offer(1000, send, until=stop) >= 3

    async def fail(number: int, due: float) -> None:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        await offer(1000, fail, seconds=60)


@pytest.fixture
def page() -> Iterator[tuple[str, list[str]]]:
    """Serve the last of the texts; yield address and texts."""
    texts = ["# HELP depth x\ndepth 3.0\ndepth_other 9.0\n"]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(texts[-1].encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", texts
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_largest_value_of_a_gauge_is_kept(page: tuple[str, list[str]]) -> None:
    address, texts = page
    async with GaugeWatch(address, "depth") as gauge:
        assert gauge.largest == 3.0
        texts.append('depth{of="it"} 7\n')

        async def is_seen() -> bool:
            return gauge.largest == 7

        await until(is_seen)
        texts.append("depth 1\n")
        await gauge.read()
        assert gauge.largest == 7
        gauge.restart()
        await gauge.read()
        assert gauge.largest == 1


async def test_a_page_without_the_gauge_is_said(page: tuple[str, list[str]]) -> None:
    with pytest.raises(SystemExit, match="no such gauge"):
        async with GaugeWatch(page[0], "height"):
            pass


def test_a_runner_answers_and_one_that_ends_says_why(tmp_path: Path) -> None:
    script = (
        "import sys, json\n"
        "print(json.dumps({'ready': True}), flush=True)\n"
        "for line in sys.stdin:\n"
        "    if line.strip() == 'fail': sys.exit('out of ideas')\n"
        "    print(json.dumps(int(line) * 2), flush=True)\n"
    )
    with runner([sys.executable, "-c", script], threads=1, log=tmp_path / "peer.log") as peer:
        assert peer.ready == {"ready": True}
        assert peer.ask("21") == 42
        with pytest.raises(SystemExit, match="out of ideas"):
            peer.ask("fail")


def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(SystemExit, match="QUEUE_TOKENS"),
        servers(tmp_path, ["inference"], queue_tokens=0),
    ):
        pass


def test_the_sessions_calls_can_be_made_again() -> None:
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    graph = helper.make_graph(nodes, "double", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {"x": np.asarray([1, 2], np.float32)}
    (call,) = bare_calls(lambda: session.run(["y"], given))
    assert call()[0].tolist() == [2, 4]  # type: ignore[index]
    # Nothing is recorded any more.
    assert ort.InferenceSession.run.__qualname__ == "Session.run"
    with pytest.raises(SystemExit, match="otherwise"):
        bare_calls(lambda: None)


def test_the_engine_runs_in_this_process_and_its_calls_are_known(tmp_path: Path) -> None:
    trunk = TrunkFolder.open(write_tiny_trunk(tmp_path))
    adapters = [random_adapter(trunk.manifest, label, 1) for label in label_names(3)]
    projects = {"all": adapters, "one": adapters[:1]}
    models = load_models(trunk, projects, cache=tmp_path / "cache", threads=1)
    assert [len(models[name].parts[0].labels) for name in projects] == [3, 1]
    # One trunk is open, however many projects read it.
    assert models["all"].parts[0].predictor.reader.trunk is (
        models["one"].parts[0].predictor.reader.trunk
    )
    run = engine_run(models["all"], ["ada paid in london", "on march"])
    calls = bare_calls(run)
    assert calls
    replay(calls)
