"""Take the turns that each SQS message names: send an endpoint of a webhook, or an alert channel, what is due there."""

from bokit.handlers import make_turn_handler, open_once, prepare
from bokit.wiring import build_engine

engine = open_once(build_engine)
lambda_handler = make_turn_handler("deliver", lambda: engine())
prepare("deliver", engine)
