# The model as both rivals run it: ONNX Runtime in one thread without spinning, as J-Prime has it, and the decision.
# Texts come encoded: what the graph takes, so that neither has to hash n-grams in Python.
import json
import os

import numpy as np
import onnxruntime as ort


class Model:
    def __init__(self):
        folder = os.environ["BENCH_ARTIFACT"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.labels = manifest["labels"]
        self.threshold = manifest["encoding"]["oos_threshold"]
        self.session = ort.InferenceSession(
            os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def predict(self, rows, values):
        """One text: its features and their values. Answers the intent and its probability."""
        feeds = {
            "rows": np.asarray(rows, dtype=np.int32).reshape(1, -1),
            "values": np.asarray(values, dtype=np.float32).reshape(1, -1),
        }
        probabilities = self.session.run(["probabilities"], feeds)[0][0]
        best = int(probabilities.argmax())
        if self.labels[best] == "oos" or probabilities[best] < self.threshold:
            others = [p for label, p in zip(self.labels, probabilities) if label != "oos"]
            return "oos", 1 - float(max(others))
        return self.labels[best], float(probabilities[best])
