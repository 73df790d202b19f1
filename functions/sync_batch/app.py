"""Sync the sources that each SQS message names: a claimed batch, or some of an open run."""

from bokit.handlers import make_queue_handler, open_once, prepare
from bokit.wiring import build_engine

engine = open_once(build_engine)
lambda_handler = make_queue_handler("sync_batch", lambda: engine())
prepare("sync_batch", engine)
