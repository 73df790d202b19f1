"""HTTP, without a token: ``/health``, the calendars under ``/feeds``, and the page with its files."""

from pathlib import Path

from bokit.handlers import make_handler, open_once, open_page_once, prepare
from bokit.http.public import PublicApi
from bokit.wiring import build_engine

api = PublicApi()
engine = open_once(build_engine)
page = open_page_once(Path(__file__).with_name("page"))  # the build puts it there
lambda_handler = make_handler("public", lambda event, context: api.answer(event, engine, page))
prepare("public", engine)
