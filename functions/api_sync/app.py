"""HTTP, under a token: ``/sync``, with trigger, monitor, status and history."""

from bokit.handlers import make_handler, make_ready, open_once, prepare
from bokit.http.service import Api
from bokit.wiring import build_engine

api = Api("sync")
engine = open_once(build_engine)
lambda_handler = make_handler("api_sync", lambda event, context: api.answer(event, context, engine))
prepare("api_sync", engine)
make_ready(api.load)
