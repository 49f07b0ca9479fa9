"""docker-compose.yml is a valid compose file and names what exists."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from services.common.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
SERVICES = {"annotation": 50051, "trainer": 50052, "registry": 50053, "inference": 50054}


def compose() -> dict[str, Any]:
    """The file with its YAML merge keys resolved."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(content, dict)
    return content


def test_it_follows_the_compose_specification() -> None:
    parsed = compose_spec.PyCompose.from_yaml(yaml.safe_dump(compose()))
    assert set(parsed.service_names()) == {*SERVICES, "mongo", "client"}
    compose_spec.ComposeSpecification.model_validate(compose())


def test_the_validator_refuses_an_unknown_key() -> None:
    content = compose()
    content["services"]["mongo"]["helthcheck"] = {}
    with pytest.raises(ValueError, match="helthcheck"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(content))


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_its_own_extra_port_and_database(name: str) -> None:
    service = compose()["services"][name]
    port = SERVICES[name]
    assert service["command"] == ["python", "-m", f"services.{name}"]
    assert service["build"]["args"]["SERVICE"] == name
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"], "published on loopback only"
    assert service["healthcheck"]["test"][-1] == f"127.0.0.1:{port}"
    assert f"/spanloop_{name}?" in service["environment"][f"SPANLOOP_{name.upper()}_DATABASE_URL"]
    assert service["depends_on"]["mongo"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_each_variable_is_one_that_the_service_reads(name: str) -> None:
    config = importlib.import_module(f"services.{name}.config")
    (settings,) = {
        value
        for value in vars(config).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.service_name == name
    }
    shared = {"SPANLOOP_ANNOTATION_ADDRESS", "SPANLOOP_REGISTRY_ADDRESS"}
    known = {
        f"{prefix}{field.upper()}"
        for field in settings.model_fields
        for prefix in settings.env_prefixes()
    }
    assert set(compose()["services"][name]["environment"]) <= known | shared


def test_mongo_is_a_replica_set_with_a_health_check() -> None:
    mongo = compose()["services"]["mongo"]
    assert "--replSet" in mongo["command"]
    assert "rs.initiate" in mongo["healthcheck"]["test"][1]


def test_only_the_trainer_image_installs_torch() -> None:
    extras = _extras()
    with_torch = {name for name in SERVICES if any("torch" in need for need in extras[name])}
    assert with_torch == {"trainer"}


def _extras() -> dict[str, list[str]]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]

    def expand(name: str) -> list[str]:
        found: list[str] = []
        for need in extras[name]:
            if need.startswith("spanloop["):
                for inner in need.removeprefix("spanloop[").removesuffix("]").split(","):
                    found += expand(inner)
            else:
                found.append(need)
        return found

    return {name: expand(name) for name in extras}


def test_the_dockerfile_copies_what_exists() -> None:
    for line in (ROOT / "docker" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
