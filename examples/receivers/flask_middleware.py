"""Saves what your pages send into Bokit's collections, with Flask: validate, merge, notify. Put your own login in front of it."""

import json
import os
import re
from collections.abc import Iterator
from queue import SimpleQueue

import requests
from flask import Flask, Response, abort, request

BOKIT, TOKEN = os.environ["BOKIT_URL"], os.environ["BOKIT_TOKEN"]  # a token of the role operator; it stays on this server
PRESERVE = {"settings": ["createdBy"], "team": ["joinDate", "employeeId"]}  # the collections that pages may write
pages: set[SimpleQueue[dict[str, str]]] = set()
app = Flask(__name__)


@app.post("/sync/<name>/<record>")
def save(name: str, record: str) -> tuple[str, int]:
    """Save {data, preserveFields, notifyFrontend}, and answer as Bokit does."""
    wanted = validate(name, record, request.get_json())
    answer = merge(name, record, wanted["data"], [*PRESERVE[name], *wanted.get("preserveFields", [])])
    if answer.ok and answer.json()["changed"] and wanted.get("notifyFrontend", True):
        notify({"collection": name, "id": record})
    return answer.text, answer.status_code


def validate(name: str, record: str, wanted: dict) -> dict:
    """Refuse what has not the form; the fields themselves are validated by Bokit, against the collection's schema."""
    if name not in PRESERVE or not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", record):
        abort(404)
    is_well = isinstance(wanted, dict) and isinstance(wanted.get("data"), dict)
    if not is_well or not isinstance(wanted.get("preserveFields", []), list):
        abort(422)
    return wanted


def merge(name: str, record: str, data: dict, preserve: list[str]) -> requests.Response:
    """Merge data into the record: fields that it does not name stay, and so do those to preserve."""
    url, headers = f"{BOKIT}/collections/{name}/records/{record}", {"Authorization": f"Bearer {TOKEN}"}
    return requests.put(url, params={"preserve": ",".join(map(str, preserve))}, json=data, headers=headers, timeout=30)


def notify(change: dict[str, str]) -> None:
    """Show every open page what changed; it reads that record again."""
    for page in list(pages):
        page.put(change)


@app.get("/changes")
def follow() -> Response:
    """Return the changes from now on, as a page's EventSource reads them."""
    page: SimpleQueue[dict[str, str]] = SimpleQueue()

    def stream() -> Iterator[str]:
        pages.add(page)
        try:
            yield ": open\n\n"
            while True:
                yield f"data: {json.dumps(page.get())}\n\n"
        finally:
            pages.discard(page)

    return Response(stream(), mimetype="text/event-stream")


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8000")), threaded=True)
