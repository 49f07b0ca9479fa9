"""The settings that all services share, read from the environment.

Each field is read from ``SPANLOOP_<SERVICE>_<FIELD>`` or, failing that, ``SPANLOOP_<FIELD>``, so
that one variable can set a thing for all services and another except one of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

DEFAULT_PORTS = {"annotation": 50051, "trainer": 50052, "registry": 50053, "inference": 50054}


class ServiceSettings(BaseSettings):
    """Settings of one service. A service subclasses it and sets `service_name`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    service_name: ClassVar[str] = ""
    """Names the service in variables, paths, logs and metrics."""

    # where things are
    data_dir: Path = Field(
        default=Path("data"),
        description="Directory of all local state; each service has its own below.",
    )
    database_url: str = Field(
        default="",
        description="Database: sqlite:///path or mongodb://host/database. Default: a SQLite file "
        "in the service's part of the data directory.",
    )
    # being called
    listen: str = Field(
        default="",
        description="Address to serve on, host:port; port 0 takes a free one. Default: loopback "
        "and the service's own port.",
    )
    port_file: Path | None = Field(
        default=None,
        description="File to write the bound address to, once the service accepts calls.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Bearer token that callers must show and that is shown to other services.",
    )
    token_file: Path | None = Field(
        default=None,
        description="File that holds the token; made, readable by its owner only, if it does not "
        "exist. Default: `token` in the data directory.",
    )
    tls_cert: Path | None = Field(
        default=None,
        description="PEM certificate chain; with tls_key, the service speaks TLS only.",
    )
    tls_key: Path | None = Field(default=None, description="PEM private key of tls_cert.")
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM certificates that must have signed a caller's certificate (mTLS).",
    )
    reflection: bool = Field(
        default=False, description="Whether tools such as grpcurl may ask for the service's schema."
    )
    max_message_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=64 * 1024,
        le=512 * 1024 * 1024,
        description="Largest message, bytes.",
    )
    max_concurrent_rpcs: int = Field(
        default=256,
        ge=1,
        description="Calls under way at once; as many watch streams may be open beside them. More "
        "are refused.",
    )
    default_deadline_seconds: float = Field(
        default=60, gt=0, description="Deadline of unary calls that come without one, seconds."
    )
    watch_heartbeat_seconds: float = Field(
        default=15, gt=0, description="Watch streams send a heartbeat after this long without news."
    )
    # stopping
    drain_delay_seconds: float = Field(
        default=0,
        ge=0,
        description="Time between reporting NOT_SERVING and refusing calls, for load balancers.",
    )
    drain_seconds: float = Field(
        default=10,
        ge=0,
        description="Time that calls under way have to finish when the service stops.",
    )
    # calling other services
    peer_tls_ca: Path | None = Field(
        default=None, description="PEM certificates that sign the other services; set: TLS to them."
    )
    peer_tls_cert: Path | None = Field(
        default=None, description="PEM certificate chain shown to the other services (mTLS)."
    )
    peer_tls_key: Path | None = Field(default=None, description="PEM private key of peer_tls_cert.")
    # being watched
    metrics_listen: str = Field(
        default="", description="Address of the Prometheus metrics page, host:port; empty: none."
    )
    otlp_endpoint: str = Field(
        default="",
        description="OTLP/gRPC collector for traces, e.g. http://localhost:4317; empty: none.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe entries to log."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="One JSON object per line, or lines for people."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then the service's own variables, then the shared ones."""
        return (
            init_settings,
            *(
                # An empty variable counts as unset: compose files pass `${NAME:-}`.
                EnvSettingsSource(settings_cls, env_prefix=prefix, env_ignore_empty=True)
                for prefix in cls.env_prefixes()
            ),
        )

    @classmethod
    def env_prefixes(cls) -> tuple[str, str]:
        """Return how variables begin: the service's own, then those of all services."""
        return f"SPANLOOP_{cls.service_name.upper()}_", "SPANLOOP_"

    @model_validator(mode="before")
    @classmethod
    def _default_address(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("listen"):
            port = DEFAULT_PORTS.get(cls.service_name, 0)
            return {**values, "listen": f"127.0.0.1:{port}"}
        return values

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _check_address(cls, value: str) -> str:
        if value:
            split_address(value)
        return value

    @model_validator(mode="after")
    def _check_tls(self) -> ServiceSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca needs tls_cert and tls_key")
        if (self.peer_tls_cert is None) != (self.peer_tls_key is None):
            raise ValueError("peer_tls_cert and peer_tls_key go together")
        if self.peer_tls_cert is not None and self.peer_tls_ca is None:
            raise ValueError("peer_tls_cert needs peer_tls_ca")
        return self

    @property
    def service_dir(self) -> Path:
        """The service's own part of the data directory; not yet created."""
        return self.data_dir / self.service_name

    @property
    def database(self) -> str:
        """The URL of the database in use."""
        if self.database_url:
            return self.database_url
        # SQLAlchemy's form: three slashes and the path, so four before an absolute one.
        return f"sqlite:///{self.service_dir / f'{self.service_name}.db'}"

    @property
    def token_path(self) -> Path:
        """The token file in use when no `token` is set."""
        return self.token_file or self.data_dir / "token"


def split_address(address: str) -> tuple[str, int]:
    """Take ``host:port`` or ``[v6]:port`` apart.

    Raises:
        ValueError: It has another form; the message says which is wanted.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, e.g. 127.0.0.1:50051")
    return host, int(port)
