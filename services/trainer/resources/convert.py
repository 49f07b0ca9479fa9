"""Workers and engines as protobuf messages."""

from __future__ import annotations

from services.common.times import to_timestamp
from services.trainer.convert import model_type_value, resources_out
from services.trainer.resources.describe_parameters import EngineDescription
from services.trainer.resources.handlers import WorkerView
from services.trainer.resources.slots import needed
from spanloop.trainer.v1 import engine_pb2, resources_pb2


def worker_out(view: WorkerView) -> resources_pb2.Worker:
    """Return a worker's message."""
    entry = view.entry
    return resources_pb2.Worker(
        id=entry.id,
        capacity=resources_out(entry.capacity),
        free=resources_out(view.free),
        max_jobs=entry.max_jobs,
        jobs=[
            resources_pb2.RunningJob(
                training_job=job.name,
                resources=resources_out(needed(job.resources)),
                start_time=to_timestamp(job.start_time),
            )
            for job in view.jobs
        ],
        gpu_available=entry.capacity.gpu > 0,
        gpus=entry.gpus,
        execution_providers=entry.providers,
        last_seen_time=to_timestamp(entry.seen),
        engines=entry.engines,
    )


def engine_out(engine: EngineDescription) -> engine_pb2.EngineDescription:
    """Return an engine's message."""
    return engine_pb2.EngineDescription(
        engine=engine.engine,
        description=engine.description,
        model_types=[model_type_value(kind) for kind in engine.model_types],
        parameters=[
            engine_pb2.ParameterDescription(
                name=parameter.name,
                engine_option=parameter.engine_option,
                type=parameter.kind,
                default_value=parameter.default,
                minimum=parameter.minimum,
                maximum=parameter.maximum,
                description=parameter.description,
            )
            for parameter in engine.parameters
        ],
        default_resources=resources_out(engine.resources),
        transfer=engine.transfer,
    )
