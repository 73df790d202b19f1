"""HTTP, without a token: ``/health``, and the calendars under ``/feeds``."""

from bokit.handlers import make_handler, open_once
from bokit.http.service import Api
from bokit.wiring import build_engine

api = Api("health", "feeds", is_public=True)
engine = open_once(build_engine)
lambda_handler = make_handler("public", lambda event, context: api.answer(event, context, engine))
