"""Ask Spanloop with tritonclient: ``python -m examples.open_inference_client ADDRESS PROJECT``.

Needs ``pip install tritonclient grpcio protobuf numpy`` and nothing of Spanloop. The token is read
from the environment variable ``SPANLOOP_TOKEN``.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import tritonclient.grpc as triton


def main(address: str, project: str) -> None:
    """Print the spans of two texts."""
    headers = {"authorization": f"Bearer {os.environ['SPANLOOP_TOKEN']}"}
    texts = ["On 1 March 2024, Ada Lovelace paid $1,000.", "Example Ltd. of London"]
    with triton.InferenceServerClient(address) as client:
        column = np.array([text.encode() for text in texts], dtype=np.object_)
        tensor = triton.InferInput("text", [len(texts)], "BYTES")
        tensor.set_data_from_numpy(column)
        answer = client.infer(project, [tensor], headers=headers, parameters={"top_n": 1})
    names = ("row", "start", "end", "label", "score")
    for row, start, end, label, score in zip(*map(answer.as_numpy, names), strict=True):
        sys.stdout.write(f"{label.decode()} {score:.2f}: {texts[row][start:end]}\n")
    sys.stdout.write(f"by version {answer.get_response().model_version} of {project}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
