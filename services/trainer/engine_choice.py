"""Whether an engine can do what a new job asks of it."""

from __future__ import annotations

from dataclasses import asdict

from services.common.errors import invalid_field
from services.trainer.domain import Parameters, TrainingJob
from services.trainer.engines.catalog import EngineCatalog
from services.trainer.engines.description import EngineInfo, OptionError
from services.trainer.engines.effective import effective
from services.trainer.engines.params import LIMITS, ParamsError


def given_parameters(parameters: Parameters) -> dict[str, float]:
    """Return the parameters that a job gives, without the engine's own."""
    return {
        name: value
        for name, value in asdict(parameters).items()
        if value is not None and name != "engine_options"
    }


def check_engine(
    job: TrainingJob, catalog: EngineCatalog, field: str = "training_job"
) -> EngineInfo:
    """Return the engine of a job, as far as its type does not matter.

    Args:
        job: The job.
        catalog: What is installed.
        field: Path of the job in the request.

    Raises:
        InvalidArgumentError: There is no such engine, or it does not have such an option, or it
            cannot start from or be joined with another version.
    """
    engine = catalog.engines.get(job.engine)
    if engine is None:
        why = catalog.broken.get(job.engine)
        raise invalid_field(
            f"{field}.engine",
            f"{job.engine[:100]!r} is not installed; there are: {', '.join(catalog.names)}."
            if why is None
            else f"{job.engine!r} cannot be used: {why}.",
        )
    _check_options(job, engine, f"{field}.parameters")
    _check_versions(job, engine, field)
    return engine


def check_model_type(job: TrainingJob, catalog: EngineCatalog, field: str = "training_job") -> None:
    """Return when the engine of a job trains models of its type.

    Raises:
        InvalidArgumentError: It does not; names those that do.
    """
    kind = job.model_type.value
    if kind not in catalog.engines[job.engine].model_types:
        able = [name for name in catalog.names if kind in catalog.engines[name].model_types]
        raise invalid_field(
            f"{field}.engine",
            f"{job.engine!r} does not train models of the type {kind}; these do: "
            f"{', '.join(able) or 'none'}.",
        )


def _check_options(job: TrainingJob, engine: EngineInfo, field: str) -> None:
    known = ", ".join(sorted(option.name for option in engine.options)) or "none"
    for name, text in job.parameters.engine_options.items():
        place = f"{field}.engine_options[{name[:100]}]"
        option = engine.option(name)
        if option is None:
            raise invalid_field(
                place, f"is no option of the engine {engine.name!r}; it has: {known}."
            )
        try:
            option.parse(text)
        except OptionError as error:
            raise invalid_field(place, f"{error}.") from None
    try:
        # Values that are each within bounds may not fit each other. The trunk's own limit is known
        # to the worker only, which refuses more.
        effective(
            engine,
            job.model_type.value,
            given_parameters(job.parameters),
            job.parameters.engine_options,
            int(LIMITS["max_length"][1]),
        )
    except ParamsError as error:
        raise invalid_field(field, f"{error}.") from None


def _check_versions(job: TrainingJob, engine: EngineInfo, field: str) -> None:
    if engine.own_trunk and job.base_model_version:
        raise invalid_field(
            f"{field}.base_model_version",
            f"must be empty for the engine {engine.name!r}: it makes a trunk of its own, and all "
            "adapters of a version read one trunk. Train all labels together, or use the engine "
            "'ladder'.",
        )
    if job.transfer is not None and not engine.transfer:
        raise invalid_field(
            f"{field}.transfer",
            f"must be absent for the engine {engine.name!r}, which cannot start from another "
            "version's weights.",
        )
    if engine.needs_script and not job.script:
        raise invalid_field(
            f"{field}.script", f"must name a training script for the engine {engine.name!r}."
        )
    if job.script and not engine.needs_script:
        raise invalid_field(f"{field}.script", f"must be empty for the engine {engine.name!r}.")
