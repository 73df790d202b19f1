"""HTTP, under a token: everything but ``/sync``."""

from bokit.handlers import make_handler, open_once, prepare
from bokit.http.service import Api
from bokit.wiring import build_engine

api = Api(
    "properties",
    "units",
    "sources",
    "bookings",
    "options",
    "collections",
    "tokens",
    "calendars",
    "conflicts",
    "turnovers",
    "occupancy",
    "guests",
    "events",
    "webhooks",
    "alerts",
    "openapi.json",
)
engine = open_once(build_engine)
lambda_handler = make_handler("api", lambda event, context: api.answer(event, context, engine))
prepare("api", engine)
