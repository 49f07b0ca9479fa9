from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr, ValidationError

from services.common.auth import TokenChecker, TokenFileError, load_or_create_token
from services.common.describe import describe
from services.common.errors import Reason, UnauthenticatedError
from services.common.settings import ServiceSettings, split_address


class TrainerSettings(ServiceSettings):
    service_name: ClassVar[str] = "trainer"
    annotation_address: str = Field(default="127.0.0.1:50051", description="Where it is.")
    workers: int = Field(default=1, description="How many.")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SPANLOOP_"):
            monkeypatch.delenv(name)


def test_own_variable_wins_over_shared_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TrainerSettings().drain_seconds == 10
    monkeypatch.setenv("SPANLOOP_DRAIN_SECONDS", "3")
    assert TrainerSettings().drain_seconds == 3
    monkeypatch.setenv("SPANLOOP_TRAINER_DRAIN_SECONDS", "4")
    monkeypatch.setenv("SPANLOOP_REGISTRY_DRAIN_SECONDS", "5")
    assert TrainerSettings().drain_seconds == 4
    assert TrainerSettings(drain_seconds=6).drain_seconds == 6


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANLOOP_TRAINER_DRAIN_SECONDS", "")
    monkeypatch.setenv("SPANLOOP_DRAIN_SECONDS", "3")
    monkeypatch.setenv("SPANLOOP_TRAINER_LISTEN", "")
    monkeypatch.setenv("SPANLOOP_TOKEN", "")
    settings = TrainerSettings()
    assert (settings.drain_seconds, settings.listen, settings.token) == (3, "127.0.0.1:50052", None)


def test_fields_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPANLOOP_ANNOTATION_ADDRESS", "other:1")
    monkeypatch.setenv("SPANLOOP_TRAINER_WORKERS", "2")
    settings = TrainerSettings()
    assert (settings.annotation_address, settings.workers) == ("other:1", 2)


def test_places(tmp_path: Path) -> None:
    settings = TrainerSettings(data_dir=tmp_path)
    assert settings.service_dir == tmp_path / "trainer"
    assert settings.database == f"sqlite:///{tmp_path}/trainer/trainer.db"
    assert settings.database.startswith("sqlite:////")  # absolute, in SQLAlchemy's form
    assert TrainerSettings(data_dir=Path("d")).database == "sqlite:///d/trainer/trainer.db"
    assert settings.token_path == tmp_path / "token"
    assert TrainerSettings(database_url="mongodb://h/d").database == "mongodb://h/d"


@pytest.mark.parametrize(
    "values",
    [
        {"listen": "50051"},
        {"listen": "host:"},
        {"listen": "host:99999"},
        {"listen": ":1"},
        {"metrics_listen": "x"},
        {"tls_cert": "c"},
        {"tls_client_ca": "c"},
        {"peer_tls_cert": "c", "peer_tls_key": "k"},
        {"drain_seconds": -1},
        {"max_concurrent_rpcs": 0},
        {"log_level": "loud"},
    ],
)
def test_wrong_values(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainerSettings.model_validate(values)


def test_addresses() -> None:
    assert split_address("localhost:1") == ("localhost", 1)
    assert split_address("[::1]:2") == ("::1", 2)


def test_describe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPANLOOP_TRAINER_TOKEN", "very-secret")
    monkeypatch.setenv("SPANLOOP_DATA_DIR", str(tmp_path))
    found = {info.name: info for info in describe(TrainerSettings)}
    assert set(found) == set(TrainerSettings.model_fields)
    assert all(info.description for info in found.values())
    assert found["token"].value == "********"
    assert found["workers"].env == ["SPANLOOP_TRAINER_WORKERS", "SPANLOOP_WORKERS"]
    assert (found["workers"].type, found["workers"].default) == ("int", 1)
    assert found["database_url"].value == f"sqlite:///{tmp_path}/trainer/trainer.db"
    assert found["token_file"].value == str(tmp_path / "token")
    assert found["data_dir"].default == "data"
    assert "very-secret" not in str(found)


# the token


def test_token_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"
    old = os.umask(0)
    try:
        token = load_or_create_token(path)
    finally:
        os.umask(old)
    assert len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_token(path) == token
    assert [entry.name for entry in path.parent.iterdir()] == ["token"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_token_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text("secret-value")
    path.chmod(mode)
    with pytest.raises(TokenFileError, match="chmod 600") as caught:
        load_or_create_token(path)
    assert "secret-value" not in str(caught.value)
    path.chmod(0o600)
    assert load_or_create_token(path) == "secret-value"


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff\xfe", "té".encode()])
def test_unusable_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(TokenFileError, match="no usable token"):
        load_or_create_token(path)


def test_token_path_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "token", tmp_path):
        with pytest.raises(TokenFileError):
            load_or_create_token(path)


@pytest.mark.parametrize("sent", ["Bearer good", "bearer good", " Bearer  good "])
def test_good_tokens(sent: str) -> None:
    TokenChecker("good").check(sent)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (None, Reason.CREDENTIALS_MISSING),
        ("", Reason.CREDENTIALS_MISSING),
        ("good", Reason.CREDENTIALS_MISSING),
        ("Bearer", Reason.CREDENTIALS_MISSING),
        ("Bearer ", Reason.CREDENTIALS_MISSING),
        ("Basic good", Reason.CREDENTIALS_MISSING),
        ("Bearer bad", Reason.CREDENTIALS_INVALID),
        ("Bearer good good", Reason.CREDENTIALS_INVALID),
        ("Bearer goodé", Reason.CREDENTIALS_INVALID),
    ],
)
def test_bad_tokens(sent: str | None, reason: Reason) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        TokenChecker("good").check(sent)
    assert caught.value.reason is reason


def test_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="everyone"):
        TokenChecker("")


def test_settings_never_print_the_token() -> None:
    assert "hush" not in repr(TrainerSettings(token=SecretStr("hush")))
