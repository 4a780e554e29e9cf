# MLServer has no runtime for ONNX of its own: this is one, as its documentation says to write it.
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from session import Model


class Intents(MLModel):
    async def load(self) -> bool:
        self.model = Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        by_name = {one.name: NumpyCodec.decode_input(one) for one in payload.inputs}
        intent, confidence = self.model.predict(by_name["rows"], by_name["values"])
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("intent", [intent]),
                ResponseOutput(name="confidence", shape=[1], datatype="FP32", data=[confidence]),
            ],
        )
