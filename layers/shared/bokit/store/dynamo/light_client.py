"""The table's client, whose usual requests take a third of the CPU: botocore's own steps, the dear ones done for DynamoDB alone.

    call         botocore: events, parameters, address                            │ as ever
    request      signed here (Signature Version 4, of the headers that DynamoDB asks for)
    connection   of botocore's pool, with its certificates and timeouts; the exchange on it is ``wire``'s
    answer       botocore, with the session's light parser (``aws``)
    retries      botocore: what to try again, when and how often                  │ as ever

What is not usual (a proxy, another way of signing, a session of somebody else's) is left to botocore as a whole.
"""

from __future__ import annotations

import hmac
import http.client
import ssl
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import get_current_datetime
from botocore.endpoint import Endpoint
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError, SSLError
from botocore.httpsession import URLLib3Session

from bokit.wire import RECEIVE_BYTES, read_response

_SIGNED = ("content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target")
"""Headers that are signed where they are sent, in their order."""


class Signer:
    """Signs requests of one client as Signature Version 4 has it; the key of a day is derived once."""

    def __init__(self, signer: Any) -> None:
        self._signer = signer
        self._derived: tuple[tuple[str, ...], bytes] | None = None

    def sign(self, headers: dict[str, str], body: bytes, host: str, context: Any) -> dict[str, str] | None:
        """Return *headers* with what proves who sends them; None: this request is signed in another way."""
        auth, credentials = context.get("auth_type") or self._signer.signature_version, self._signer._credentials
        signing, is_plain = context.get("signing") or {}, context.get("payload_signing_enabled", True)
        if auth != "v4" or credentials is None or not is_plain or not signing.keys() <= {"region", "signing_name"}:
            return None
        frozen = credentials.get_frozen_credentials()
        time = get_current_datetime().strftime("%Y%m%dT%H%M%SZ")
        sent = {**headers, "Host": host, "X-Amz-Date": time}
        if frozen.token:
            sent["X-Amz-Security-Token"] = frozen.token
        region, service = (
            signing.get("region") or self._signer.region_name,
            signing.get("signing_name") or self._signer.signing_name,
        )
        scope = f"{time[:8]}/{region}/{service}/aws4_request"
        names, digest = _digest(sent, body)
        text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}"
        signature = hmac.digest(self._key(frozen.secret_key, time[:8], region, service), text.encode(), "sha256").hex()
        proof = f"AWS4-HMAC-SHA256 Credential={frozen.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**sent, "Authorization": proof}

    def _key(self, secret: str, *parts: str) -> bytes:
        derived = self._derived
        if derived is None or derived[0] != (secret, *parts):
            key = f"AWS4{secret}".encode()
            for part in (*parts, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            derived = self._derived = ((secret, *parts), key)
        return derived[1]


def _digest(headers: dict[str, str], body: bytes) -> tuple[str, str]:
    """Return the names of the signed headers, and the digest of a POST to ``/`` in its canonical form."""
    lower = {name.lower(): value for name, value in headers.items()}
    signed = [name for name in _SIGNED if name in lower]
    lines = "".join(f"{name}:{' '.join(lower[name].split())}\n" for name in signed)
    names = ";".join(signed)
    canonical = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
    return names, sha256(canonical.encode()).hexdigest()


class LightEndpoint(Endpoint):
    """botocore's endpoint, which makes the usual requests by itself."""

    def __init__(self, usual: Endpoint, signer: Any) -> None:
        self.__dict__.update(vars(usual))
        self._signer = Signer(signer)

    def create_request(self, params: Any, operation_model: Any = None) -> Any:
        """Return a signed request, ready to be sent."""
        url, body, context = urlsplit(params["url"]), params["body"], params["context"]
        is_usual = operation_model is not None and params["method"] == "POST" and isinstance(body, bytes)
        if is_usual and url.path in ("", "/") and not url.query:
            retries = context.get("retries") or {}
            headers = {**params["headers"], **_describe_attempt(retries)}
            if signed := self._signer.sign(headers, body, url.netloc, context):
                sent: Any = {name: value.encode() for name, value in signed.items()}
                return AWSPreparedRequest("POST", params["url"], sent, body, False, context)
        return super().create_request(params, operation_model)


def _describe_attempt(retries: dict[str, Any]) -> dict[str, str]:
    """Return the headers by which AWS knows attempts of one call."""
    shown = "; ".join(f"{name}={retries[name]}" for name in ("ttl", "attempt", "max") if name in retries)
    return {"amz-sdk-invocation-id": str(retries["invocation-id"]), "amz-sdk-request": shown} if retries else {}


class LightSession:
    """botocore's HTTP session; requests of a :class:`LightEndpoint` take its connections without its layers."""

    def __init__(self, usual: Any) -> None:
        self._usual = usual

    def close(self) -> None:
        """Close every connection."""
        self._usual.close()

    def send(self, request: Any) -> Any:
        """Return the response; raises what botocore's own session raises."""
        is_plain = isinstance(request.body, bytes) and isinstance(request.headers, dict) and not request.stream_output
        if not is_plain or self._usual._proxy_config.proxy_url_for(request.url):
            return self._usual.send(request)
        pool = self._pool_of(request.url)
        connection = pool._get_conn()
        try:
            return self._exchange(request, pool, connection)
        except BaseException:
            connection.close()
            raise
        finally:
            pool._put_conn(connection)

    def _pool_of(self, url: str) -> Any:
        pool = self._usual._get_connection_manager(url, None).connection_from_url(url)
        self._usual._setup_ssl_cert(pool, url, self._usual._verify)
        return pool

    def _exchange(self, request: Any, pool: Any, connection: Any) -> Any:
        self._open(request.url, pool, connection)
        lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in request.headers.items())
        head = b"POST / HTTP/1.1\r\nAccept-Encoding: identity\r\n%sContent-Length: %d\r\n\r\n" % (lines, len(request.body))
        try:
            connection.sock.settimeout(pool.timeout.read_timeout)
            connection.sock.sendall(head + request.body)
            raw = read_response(connection.sock, "POST")
            body = b"".join(raw.stream(RECEIVE_BYTES))
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (http.client.HTTPException, OSError) as error:
            raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
        if not raw.may_be_followed:
            connection.close()
        headers: Any = dict(raw.headers.values())
        response: Any = AWSResponse(request.url, raw.status, headers, None)
        response._content = body
        return response

    def _open(self, url: str, pool: Any, connection: Any) -> None:
        """Connect, where the pool had no open connection."""
        if connection.sock is not None:
            return
        connection.timeout = pool.timeout.connect_timeout
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=url, error=error) from error
        except Exception as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error


def lighten(client: Any) -> Any:
    """Return *client*, a botocore client of DynamoDB, with light requests."""
    if isinstance(client._endpoint, LightEndpoint):
        return client
    client._endpoint = LightEndpoint(client._endpoint, client._request_signer)
    if isinstance(client._endpoint.http_session, URLLib3Session):
        client._endpoint.http_session = LightSession(client._endpoint.http_session)
    return client
