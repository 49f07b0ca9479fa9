"""Each service starts with exactly the command and environment of docker-compose.yml.

There is no Docker engine and no MongoDB here, so each service is started twice: as written, when
its database is away and it must come up, say NOT_SERVING and refuse calls clearly; and with only
the database's URL changed to SQLite, when it must serve. The address 0.0.0.0 of the containers' own
network becomes loopback, and /data a temporary directory.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.probe import probe
from spanloop.annotation.v1 import annotation_service_pb2, annotation_service_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-long-random-string-for-this-test"
SERVICES = ("annotation", "trainer", "registry", "inference")


def environment(name: str, data: Path) -> dict[str, str]:
    """The service's environment with compose's variables filled in."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    written = content["services"][name]["environment"]
    filled = {
        key: re.sub(r"\$\{SPANLOOP_TOKEN:\?[^}]*\}", TOKEN, str(value))
        for key, value in written.items()
    }
    filled["SPANLOOP_DATA_DIR"] = filled["SPANLOOP_DATA_DIR"].replace("/data", str(data))
    listen = f"SPANLOOP_{name.upper()}_LISTEN"
    filled[listen] = re.sub(r"0\.0\.0\.0:\d+", "127.0.0.1:0", filled[listen])
    return filled


@contextmanager
def started(name: str, env: dict[str, str], data: Path) -> Iterator[str]:
    """Run the written command; yield the address that the service bound."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    command = content["services"][name]["command"]
    assert command[0] == "python"
    port_file = data / "address"
    log = data / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, *command[1:]],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "sdk"),
                "SPANLOOP_PORT_FILE": str(port_file),
                **env,
            },
            stderr=stderr,
        )
    try:
        end = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield port_file.read_text().strip()
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()


def wait_for(address: str, wanted: str) -> str:
    """Probe until the wanted status is told; return the last one."""
    end = time.monotonic() + 30
    while (status := probe(address)) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    return status


@pytest.mark.parametrize("name", SERVICES)
def test_it_serves_with_a_database_at_hand(name: str, tmp_path: Path) -> None:
    env = environment(name, tmp_path)
    url = f"SPANLOOP_{name.upper()}_DATABASE_URL"
    assert env[url].startswith("mongodb://")
    env[url] = f"sqlite:///{tmp_path / 'service.db'}"
    with started(name, env, tmp_path) as address:
        assert wait_for(address, "SERVING") == "SERVING"


@pytest.mark.parametrize("name", SERVICES)
def test_as_written_it_comes_up_and_says_that_its_database_is_away(
    name: str, tmp_path: Path
) -> None:
    env = environment(name, tmp_path)
    # Nothing listens on this port, so the driver is refused at once instead of searching a name.
    url = f"SPANLOOP_{name.upper()}_DATABASE_URL"
    env[url] = env[url].replace("mongo:27017", "127.0.0.1:9") + "&serverSelectionTimeoutMS=500"
    with started(name, env, tmp_path) as address:
        # Inference predicts without its database, which holds pre-annotation jobs only.
        wanted = "SERVING" if name == "inference" else "NOT_SERVING"
        assert wait_for(address, wanted) == wanted
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            if name == "annotation":
                stub = annotation_service_pb2_grpc.AnnotationServiceStub(channel)
                with pytest.raises(grpc.RpcError) as caught:
                    stub.ListProjects(
                        annotation_service_pb2.ListProjectsRequest(),
                        metadata=[("authorization", f"Bearer {TOKEN}")],
                        timeout=10,
                    )
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
