"""Serve one response of each channel on loopback, for policies that are programs and fetch by themselves."""

from __future__ import annotations

import threading
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simulator.faults import SimulatedResponse
from simulator.score.model import Channel, Fetch


class ResponseServer(ThreadingHTTPServer):
    """Answers each channel's address with the response that :meth:`put` was given last."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self._fetches: dict[str, Fetch] = {}
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def put(self, fetch: Fetch) -> None:
        """Answer the fetch's channel with its response from now on."""
        self._fetches[f"/{fetch.channel.name}.ics"] = fetch

    def find(self, path: str) -> Fetch | None:
        """Return what is answered at *path*."""
        return self._fetches.get(path)

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
        fetch = self.server.find(self.path)
        response = fetch.response if fetch else SimulatedResponse(status=404, content_type="text/plain")
        self.send_response_only(response.status)
        headers = {"Content-Type": response.content_type, "Content-Length": str(len(response.body)), **response.headers}
        if fetch:
            # the world's time: by the machine's clock every response would be as old as the one before
            headers["Date"] = format_datetime(fetch.at, usegmt=True)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *args: object) -> None:
        """Log nothing."""
