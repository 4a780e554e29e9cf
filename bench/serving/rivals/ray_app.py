# Ray Serve: one replica behind its HTTP proxy, without access log. `ray_app.py PORT`; says "ready", ends with its stdin.
import logging
import sys

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.schema import LoggingConfig

from session import Model


@serve.deployment(num_replicas=1, max_ongoing_requests=1000)
class Intents:
    def __init__(self):
        self.model = Model()

    async def __call__(self, request):
        body = await request.json()
        intent, confidence = self.model.predict(body["rows"], body["values"])
        return {"intent": intent, "confidence": confidence}


ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
quiet = LoggingConfig(enable_access_log=False, log_level="ERROR")
serve.start(http_options=HTTPOptions(host="127.0.0.1", port=int(sys.argv[1])), logging_config=quiet)
serve.run(Intents.bind(), logging_config=quiet)
print("ready", flush=True)
sys.stdin.read()
serve.shutdown()
ray.shutdown()
