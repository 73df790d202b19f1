"""Prints every event of a tenant as it happens: ``API=… TOKEN=… python follow.py``."""

import json
import os
import urllib.request

from websockets.sync.client import connect

API, TOKEN = os.environ["API"], os.environ["TOKEN"]


def ask(method: str, path: str) -> dict:
    """Return the document that Bokit answers."""
    request = urllib.request.Request(API + path, method=method, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


seq = ask("GET", "/events")["seq"]
while True:  # a connection ends after two hours at the latest
    with connect(ask("POST", "/sync/ticket")["url"]) as socket:
        socket.send(json.dumps({"action": "resume", "since": seq}))
        for text in socket:
            message = json.loads(text)
            print(message, flush=True)
            seq = max(seq, message.get("seq", 0))  # enough to print; who must miss nothing counts without gaps
