"""The echo as a daemon in Python is written: FastAPI, and a client made from each message."""

from cortex import Cortex
from fastapi import FastAPI

app = FastAPI()


@app.post("/invoke")
async def invoke(message: dict):
    Cortex.from_message(message)
    return {"payload": message["payload"]}
