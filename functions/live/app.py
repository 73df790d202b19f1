"""The WebSocket: who connects is remembered, who leaves forgotten, and what clients send is answered."""

from bokit.handlers import make_handler, open_once, prepare
from bokit.http.sockets import answer_socket
from bokit.wiring import build_engine

engine = open_once(build_engine)
lambda_handler = make_handler("live", lambda event, context: answer_socket(event, engine))
prepare("live", engine)
