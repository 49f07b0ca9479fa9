"""The stock tritonclient in a process of its own, told by lines of JSON what to call.

It brings its own copy of the package `inference`, and protobuf knows every message name once in a
process, so it cannot live where our server's stubs do. Run as
``python tests/support/triton_client.py sync|aio ADDRESS TOKEN``; nothing of Spanloop is imported.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as stock
import tritonclient.grpc.aio as stock_aio
from tritonclient.utils import InferenceServerException


def tensor(name: str, value: Any) -> stock.InferInput:
    """Return an input: a list of texts (or of {"hex"}), or {"datatype", "values"}."""
    if isinstance(value, dict):
        array = np.asarray(value["values"], dtype=value["numpy"])
        made = stock.InferInput(name, list(array.shape), value["datatype"])
    else:
        elements = [bytes.fromhex(v["hex"]) if isinstance(v, dict) else v.encode() for v in value]
        array = np.empty(len(elements), dtype=object)
        array[:] = elements
        made = stock.InferInput(name, [len(elements)], "BYTES")
    made.set_data_from_numpy(array)
    return made


def plain(result: stock.InferResult) -> dict[str, Any]:
    """Return an answer as JSON."""
    response = result.get_response()
    columns = {output.name: result.as_numpy(output.name).tolist() for output in response.outputs}
    return {
        "model": response.model_name,
        "version": response.model_version,
        "id": response.id,
        "parameters": {k: v.string_param for k, v in response.parameters.items()},
        "outputs": {
            name: [v.decode() if isinstance(v, bytes) else v for v in column]
            for name, column in columns.items()
        },
        "datatypes": {output.name: output.datatype for output in response.outputs},
    }


async def answer(client: Any, headers: dict[str, str], call: dict[str, Any]) -> Any:
    method, arguments = call["method"], call.get("arguments", {})
    if method == "infer":
        arguments["inputs"] = [tensor(*item) for item in arguments["inputs"].items()]
        if "outputs" in arguments:
            arguments["outputs"] = [stock.InferRequestedOutput(o) for o in arguments["outputs"]]
    elif method.startswith("get_"):
        arguments["as_json"] = True
    if call.get("anonymous"):
        headers = {}
    try:
        found = getattr(client, method)(headers=headers, client_timeout=60, **arguments)
        found = await found if inspect.isawaitable(found) else found
    except InferenceServerException as error:
        return {"status": str(error.status()), "message": error.message()}
    return {"result": plain(found) if isinstance(found, stock.InferResult) else found}


async def main(kind: str, address: str, token: str) -> None:
    client: Any = (stock_aio if kind == "aio" else stock).InferenceServerClient(address)
    headers = {"authorization": f"Bearer {token}"}
    for line in iter(sys.stdin.readline, ""):
        reply = await answer(client, headers, json.loads(line))
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
    closed = client.close()
    if inspect.isawaitable(closed):
        await closed


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
