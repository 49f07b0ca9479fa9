"""Between the protocol's messages and the domain; nothing else knows both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.common.errors import invalid_field
from services.inference.oip.columns import columns_of
from services.inference.oip.handlers import InferAnswer, ModelRow
from services.inference.oip.metadata import INPUTS, OUTPUTS, PLATFORM, Datatype, TensorSpec
from services.inference.oip.request import InferRequest, InputTensor, Parameter
from spanloop.inference.oip.v2 import open_inference_service_pb2 as pb

_CONFIG_TYPES = {
    Datatype.BOOL: pb.TYPE_BOOL,
    Datatype.BYTES: pb.TYPE_STRING,
    Datatype.FP64: pb.TYPE_FP64,
    Datatype.INT64: pb.TYPE_INT64,
}


def infer_request(request: pb.ModelInferRequest) -> InferRequest:
    """Return a request.

    Raises:
        InvalidArgumentError: It is unclear which content is that of which input.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise invalid_field(
            "raw_input_contents",
            f"has {len(raw)} entries for {len(request.inputs)} inputs: send one for each input in "
            "their order, or none and `contents` with each input.",
        )
    for tensor in request.inputs:
        if raw and tensor.HasField("contents"):
            raise invalid_field(
                tensor.name[:100],
                "has `contents` beside raw_input_contents: send its elements once.",
            )
    return InferRequest(
        model=request.model_name,
        version=request.model_version,
        inputs=[
            InputTensor(
                name=tensor.name,
                datatype=tensor.datatype,
                shape=tuple(tensor.shape),
                raw=raw[place] if raw else None,
                elements=tensor.contents.bytes_contents,
                parameters=sorted(tensor.parameters),
            )
            for place, tensor in enumerate(request.inputs)
        ],
        parameters=_parameters(request.parameters),
        outputs=[(output.name, sorted(output.parameters)) for output in request.outputs],
    )


def _parameters(parameters: Mapping[str, pb.InferParameter]) -> dict[str, Parameter | None]:
    found: dict[str, Parameter | None] = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        found[name] = None if choice is None else getattr(parameter, choice)
    return found


def infer_response(request: pb.ModelInferRequest, answer: InferAnswer) -> pb.ModelInferResponse:
    """Return the answer to a request."""
    response = pb.ModelInferResponse(
        model_name=request.model_name, model_version=str(answer.revision), id=request.id
    )
    response.parameters["generation"].string_param = answer.generation
    assertion = answer.result.adapters.assertion
    if assertion is not None:
        response.parameters["assertion_model_version"].string_param = assertion.model_version
    for column in columns_of(answer.result, answer.outputs):
        response.outputs.add(name=column.name, datatype=column.datatype, shape=[column.count])
        response.raw_output_contents.append(column.raw)
    return response


def model_metadata(name: str, versions: Sequence[int]) -> pb.ModelMetadataResponse:
    """Return what a model is."""
    return pb.ModelMetadataResponse(
        name=name,
        versions=map(str, versions),
        platform=PLATFORM,
        inputs=map(_tensor_metadata, INPUTS),
        outputs=map(_tensor_metadata, OUTPUTS),
    )


def _tensor_metadata(spec: TensorSpec) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=spec.name, datatype=spec.datatype, shape=[-1]
    )


def model_config(name: str) -> pb.ModelConfigResponse:
    """Return how a model is set up."""
    return pb.ModelConfigResponse(
        config=pb.ModelConfig(
            name=name,
            platform=PLATFORM,
            backend=PLATFORM,
            version_policy=pb.ModelVersionPolicy(
                latest=pb.ModelVersionPolicy.Latest(num_versions=1)
            ),
            input=[
                pb.ModelInput(
                    name=spec.name,
                    data_type=_CONFIG_TYPES[spec.datatype],
                    dims=[-1],
                    optional=spec.optional,
                )
                for spec in INPUTS
            ],
            output=[
                pb.ModelOutput(name=spec.name, data_type=_CONFIG_TYPES[spec.datatype], dims=[-1])
                for spec in OUTPUTS
            ],
        )
    )


def index_response(rows: Sequence[ModelRow]) -> pb.RepositoryIndexResponse:
    """Return the index."""
    return pb.RepositoryIndexResponse(
        models=[
            pb.RepositoryIndexResponse.ModelIndex(
                name=row.name, version=row.version, state=row.state, reason=row.reason
            )
            for row in rows
        ]
    )
