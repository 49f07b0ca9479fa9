"""The command line of a service: ``python -m services.<name> [config]``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from services.common.auth import TokenFileError
from services.common.describe import describe
from services.common.logs import configure_logs, get_logger
from services.common.server import RunningServer, StartError, release, serve
from services.common.store.port import SchemaError, StoreUnavailableError
from services.common.wiring import BuildFn, SettingsT

_log = get_logger(__name__)

_CANNOT_START = 2
_STOPPED_AT_ONCE = 3


def main(settings_class: type[SettingsT], build: BuildFn[SettingsT]) -> None:
    """Run the service until SIGTERM or SIGINT, or print its settings; then exit.

    Exit status: 0 after a clean stop, 2 when it cannot start, 3 when a second signal cut the
    stop short.
    """
    arguments = sys.argv[1:]
    if arguments not in ([], ["config"]):
        sys.exit("usage: python -m services.<name> [config]")
    try:
        settings = settings_class()
    except ValidationError as error:
        sys.stderr.write(_explain(settings_class, error))
        sys.exit(_CANNOT_START)
    if arguments:
        infos = describe(settings_class, settings)
        json.dump([info.as_json() for info in infos], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    configure_logs(settings.log_level, settings.log_format, settings.service_name)
    try:
        asyncio.run(run_service(settings, build))
        _end_log()
    except (StartError, TokenFileError, SchemaError, StoreUnavailableError, ValueError) as error:
        _log.error("cannot_start", error=str(error), exc_info=isinstance(error, ValueError))
        sys.exit(_CANNOT_START)


async def run_service(settings: SettingsT, build: BuildFn[SettingsT]) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            # Durable state survives a kill; whoever asks twice does not want to wait.
            _log.warning("stopped_at_once", signal=number.name)
            with contextlib.suppress(OSError):  # a full disk must not keep it from ending
                sys.stderr.flush()
            os._exit(_STOPPED_AT_ONCE)
        _log.info("signal", signal=number.name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    async with serve(settings, build) as server:
        if settings.port_file is not None:
            await asyncio.to_thread(_write_address, settings.port_file, server)
        _log.info(
            "listening",
            address=server.address,
            metrics=server.metrics_address or None,
            tls=settings.tls_cert is not None,
            version=release(),
        )
        await stop.wait()


def _end_log() -> None:
    """Let a log that cannot be written, as on a full disk, not turn a clean end into a failure."""
    try:
        sys.stderr.flush()
    except OSError:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - the end


def _write_address(path: Path, server: RunningServer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(server.address + "\n", encoding="utf-8")
    draft.replace(path)


def _explain(settings_class: type[SettingsT], error: ValidationError) -> str:
    """Say which variables are wrong, without repeating values: they may be secrets."""
    own, shared = settings_class.env_prefixes()
    lines = [f"{settings_class.service_name}: cannot start, settings are wrong:"]
    for entry in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(entry["loc"][0]) if entry["loc"] else ""
        variables = f"{own}{field.upper()} or {shared}{field.upper()}: " if field else ""
        lines.append(f"  {variables}{entry['msg']}")
    return "\n".join(lines) + "\n"
