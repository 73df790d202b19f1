"""Serve one response of each channel on loopback, for policies that are programs and fetch by themselves."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simulator.faults import SimulatedResponse
from simulator.score.model import Channel, Fetch


class ResponseServer(ThreadingHTTPServer):
    """Answers each channel's address with the response that :meth:`put` was given last."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self._responses: dict[str, SimulatedResponse] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def put(self, fetch: Fetch) -> None:
        """Answer the fetch's channel with its response from now on."""
        self._responses[f"/{fetch.channel.name}.ics"] = fetch.response

    def find(self, path: str) -> SimulatedResponse:
        """Return the response at *path*."""
        return self._responses.get(path, SimulatedResponse(status=404, content_type="text/plain"))

    def url_of(self, channel: Channel) -> str:
        """Return the address of a channel's feed."""
        return f"http://127.0.0.1:{self.server_address[1]}/{channel.name}.ics"

    def stop(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Request(BaseHTTPRequestHandler):
    server: ResponseServer
    protocol_version = "HTTP/1.1"
    # a response in one packet: else the client's delayed acknowledgement makes each fetch wait 40 ms
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        response = self.server.find(self.path)
        self.send_response(response.status)
        headers = {"Content-Type": response.content_type, "Content-Length": str(len(response.body)), **response.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *args: object) -> None:
        """Log nothing."""
