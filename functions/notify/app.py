"""Whenever the table's stream shows it: number the outbox in the tenants' logs, and post events and progress to WebSockets."""

from bokit.handlers import make_stream_handler, open_once, prepare
from bokit.wiring import build_engine

engine = open_once(build_engine)
lambda_handler = make_stream_handler("notify", lambda: engine())
prepare("notify", engine)
