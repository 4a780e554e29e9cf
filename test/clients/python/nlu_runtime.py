"""MLServer serving an nlu artifact as J-Prime has it in its registry: the same graph, vocabulary and labels, by MLServer's own
codecs and errors."""
import json
from pathlib import Path

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError
from mlserver.types import Datatype, InferenceRequest, InferenceResponse

from nlu_encoding import Vocabulary, decide

ROWS_MAX = 256
CHARS_MAX = 4096


class NluRuntime(MLModel):
    async def load(self) -> bool:
        folder = Path(self.settings.parameters.uri)
        manifest = json.loads((folder / "model.json").read_text())
        encoding = manifest["encoding"]
        self.labels = manifest["labels"]
        self.threshold = encoding["oos_threshold"]
        self.vocabulary = Vocabulary(
            (folder / "vocabulary.bin").read_bytes(), encoding["features"], encoding["unknown_idf"]
        )
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        answers = [self.answer(text) for text in texts_of(payload)]
        outputs = {
            "intent": StringCodec.encode_output("intent", [intent for intent, _ in answers]),
            "confidence": NumpyCodec.encode_output(
                "confidence", np.array([confidence for _, confidence in answers], np.float32)
            ),
        }
        names = [output.name for output in payload.outputs or []] or list(outputs)
        for name in names:
            if name not in outputs:
                raise InferenceError(f"there is no output {name}")
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[outputs[name] for name in names]
        )

    def answer(self, text: str) -> tuple[str, float]:
        rows, values = self.vocabulary.encode(text)
        feeds = {
            "rows": np.array([rows or [0]], np.int32),
            "values": np.array([values if rows else [0.0]], np.float32),
        }
        (probabilities,) = self.session.run(["probabilities"], feeds)
        return decide(self.labels, probabilities[0], self.threshold)


def texts_of(payload: InferenceRequest) -> list[str]:
    """The signature is checked here: MLServer leaves it to its runtimes."""
    if len(payload.inputs) != 1 or payload.inputs[0].name != "text":
        raise InferenceError("the one input is text")
    tensor = payload.inputs[0]
    if Datatype(tensor.datatype) != Datatype.BYTES or tensor.shape[1:] not in ([], [1]):
        raise InferenceError("text is BYTES [n]")
    data = [item for part in tensor.data for item in (part if isinstance(part, list) else [part])]
    if not 1 <= tensor.shape[0] <= ROWS_MAX or len(data) != tensor.shape[0]:
        raise InferenceError("the data does not fill the shape")
    if not all(isinstance(item, str) and 1 <= len(item) <= CHARS_MAX for item in data):
        raise InferenceError(f"an element is a text of 1 to {CHARS_MAX} characters")
    return StringCodec.decode_input(tensor.model_copy(update={"data": type(tensor.data)(data)}))
