"""Asks a server in the manner of OpenAI by OpenAI's own package; prints what came back as JSON. ask_openai.py URL TEXT"""
import json
import sys

from openai import APIStatusError, OpenAI

url, text = sys.argv[1:]
client = OpenAI(base_url=url, api_key="none", max_retries=0)
messages = [{"role": "user", "content": text}]
whole = client.chat.completions.create(model="fixture", messages=messages)
pieces = [
    chunk.choices[0].delta.content
    for chunk in client.chat.completions.create(model="fixture", messages=messages, stream=True)
    if chunk.choices and chunk.choices[0].delta.content
]
embedding = client.embeddings.create(model="fixture", input=[text], encoding_format="float")
try:
    client.chat.completions.create(model="fixture", messages="none")
    refused = None
except APIStatusError as error:
    refused = error.status_code
print(
    json.dumps(
        {
            "models": [model.id for model in client.models.list()],
            "whole": whole.choices[0].message.content,
            "tokens": whole.usage.total_tokens,
            "pieces": pieces,
            "embedding": embedding.data[0].embedding,
            "refused": refused,
        }
    )
)
