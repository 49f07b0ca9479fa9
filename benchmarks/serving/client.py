"""The client whose waiting is measured: synchronous, one process, nothing repeated."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from benchmarks.serving.servers import METADATA
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import inference_service_pb2_grpc


class LatencyClient:
    """A client of the inference service."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Ask over a plain channel."""
        self._stub = inference_service_pb2_grpc.InferenceServiceStub(channel)

    def ask(self, count: int, texts: Sequence[str], labels: Sequence[str] = ()) -> None:
        """Ask the project of so many labels and wait for the answer."""
        self._stub.Predict(_request(count, texts, labels), metadata=METADATA, timeout=60)

    def ask_at_once(self, count: int, texts: Sequence[str], times: int, at_once: int) -> None:
        """Ask so many times, with several requests under way at any time."""
        waiting: list[grpc.Future[pb.PredictResponse]] = []
        for _ in range(times):
            if len(waiting) == at_once:
                waiting.pop(0).result()
            waiting.append(
                self._stub.Predict.future(_request(count, texts), metadata=METADATA, timeout=60)
            )
        for call in waiting:
            call.result()


def _request(count: int, texts: Sequence[str], labels: Sequence[str] = ()) -> pb.PredictRequest:
    return pb.PredictRequest(project=f"projects/{project_of(count)}", texts=texts, labels=labels)


def project_of(labels: int) -> str:
    """Return the project that serves so many labels."""
    return f"labels-{labels}"
