"""Our part of the published protocol has its names and numbers, as the stock client has them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from spanloop.inference.oip.v2 import open_inference_service_pb2 as pb

# In a process of its own: protobuf knows every message name once.
THEIRS = """
import json
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from tritonclient.grpc import model_config_pb2, service_pb2
files = []
for module in (service_pb2, model_config_pb2):
    file = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(file)
    files.append(json_format.MessageToDict(file))
print(json.dumps(files))
"""


def fields(message: dict[str, Any], name: str = "") -> dict[str, tuple[Any, ...]]:
    """Return number, kind and oneof of each field, by path, of a message and those in it."""
    path = f"{name}{message['name']}"
    found = {
        f"{path}.{one['name']}": (
            *(one["number"], one["label"], one["type"], one.get("typeName")),
            "oneofIndex" in one,
        )
        for one in message.get("field", ())
    }
    for inner in message.get("nestedType", ()):
        found |= fields(inner, f"{path}.")
    return found


def all_of(file: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for message in file.get("messageType", ()):
        found |= fields(message)
    for enum in file.get("enumType", ()):
        found |= {f"{enum['name']}.{one['name']}": (one.get("number", 0),) for one in enum["value"]}
    for service in file.get("service", ()):
        found |= {
            f"{service['name']}.{one['name']}": (
                *(one["inputType"], one["outputType"]),
                *(one.get("clientStreaming"), one.get("serverStreaming")),
            )
            for one in service["method"]
        }
    return found


def test_names_and_numbers_are_the_published_ones() -> None:
    from google.protobuf import json_format
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    done = subprocess.run(
        [sys.executable, "-P", "-c", THEIRS], capture_output=True, check=True, text=True
    )
    theirs: dict[str, tuple[Any, ...]] = {}
    for file in json.loads(done.stdout):
        assert file["package"] == "inference"
        theirs |= all_of(file)
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    assert file.package == "inference"
    ours = all_of(json_format.MessageToDict(file))
    assert len(ours) > 90
    assert ours == {name: theirs.get(name) for name in ours}
