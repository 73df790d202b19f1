"""Receives Bokit's webhooks with Flask: verifies the signature, and takes each event once."""

import os
import sqlite3

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
webhook = Webhook(os.environ["WEBHOOK_SECRET"])  # whsec_…
database = sqlite3.connect(os.environ.get("EVENTS_DB", "events.db"), check_same_thread=False, isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT, body TEXT)")


@app.post("/bokit")
def receive() -> tuple[str, int]:
    """Take one event."""
    try:
        event = webhook.verify(request.get_data(), dict(request.headers))  # the bytes as they came, not parsed and written again
    except WebhookVerificationError:
        return "not signed by Bokit", 401
    row = (event["id"], event["type"], request.get_data(as_text=True))
    if database.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", row).rowcount == 0:
        return "", 204  # it came before: attempts are repeated, ids are not
    print(event["seq"], event["type"], event["data"])  # your own work, or better: put it into a queue, and answer at once
    return "", 204


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8000")))
