"""Sync the database that each SQS message names; this function alone has the databases' libraries."""

from bokit.handlers import make_queue_handler, open_once, prepare
from bokit.wiring import build_engine

engine = open_once(build_engine)
lambda_handler = make_queue_handler("sync_sql", lambda: engine())
prepare("sync_sql", engine)
