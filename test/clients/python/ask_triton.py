"""Asks a server of the Open Inference Protocol v2 all that tritonclient can ask of one; prints what came back as JSON.
ask_triton.py HOST:PORT TEXT..."""
import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

url, *texts = sys.argv[1:]
client = triton.InferenceServerClient(url)


def text_input(shape: list[int], binary: bool, name: str = "text") -> triton.InferInput:
    tensor = triton.InferInput(name, shape, "BYTES")
    array = np.array([text.encode() for text in texts], dtype=np.object_).reshape(shape)
    return tensor.set_data_from_numpy(array, binary_data=binary)


def wanted(names: list[str], binary: bool) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def infer(inputs: list, **options) -> dict:
    result = client.infer("nlu", inputs, **options)
    answer = result.get_response()
    arrays = {output["name"]: result.as_numpy(output["name"]) for output in answer["outputs"]}
    return {
        "version": answer["model_version"],
        "id": answer.get("id"),
        "binary": ["binary_data_size" in output.get("parameters", {}) for output in answer["outputs"]],
        "dtypes": {name: str(array.dtype) for name, array in arrays.items()},
        "outputs": {
            name: [item.decode() if isinstance(item, bytes) else item for item in array.tolist()]
            for name, array in arrays.items()
        },
    }


def refusal(ask) -> dict:
    try:
        ask()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return {"status": "none", "message": "it was not refused"}


rows = len(texts)
integers = triton.InferInput("text", [1], "INT32").set_data_from_numpy(np.array([1], np.int32))
answers = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": [client.is_model_ready("nlu"), client.is_model_ready("nlu", "v9.9.9")],
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata("nlu"),
    "index": client.get_model_repository_index(),
    "by_default": infer([text_input([rows], True)], request_id="request-1"),
    "in_json": infer([text_input([rows], False)], outputs=wanted(["intent", "confidence"], False)),
    "column": infer([text_input([rows, 1], True)], outputs=wanted(["confidence"], True)),
    "by_version": infer([text_input([rows], True)], model_version="stable"),
    "in_session": infer([text_input([rows], True)], parameters={"session_id": "kitchen"}),
    "later": client.async_infer("nlu", [text_input([rows], True)]).get_result().as_numpy("intent").shape,
    "refused": {
        "model": refusal(lambda: client.infer("telepathy", [text_input([rows], True)])),
        "version": refusal(lambda: client.infer("nlu", [text_input([rows], True)], model_version="v9.9.9")),
        "input": refusal(lambda: client.infer("nlu", [text_input([rows], True, "txt")])),
        "datatype": refusal(lambda: client.infer("nlu", [integers])),
        "output": refusal(lambda: infer([text_input([rows], True)], outputs=wanted(["mood"], True))),
        "compressed": refusal(
            lambda: infer([text_input([rows], True)], request_compression_algorithm="gzip")
        ),
        "metadata": refusal(lambda: client.get_model_metadata("telepathy")),
    },
}
client.unload_model("nlu")
answers["unloaded"] = [client.is_model_ready("nlu"), client.get_model_repository_index()]
client.load_model("nlu")
answers["loaded"] = client.is_model_ready("nlu")
print(json.dumps(answers))
