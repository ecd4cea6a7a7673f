"""The web server of the game: one page, and the questions that it asks.

It listens on 127.0.0.1. Addresses begin with a token, so that other users of the machine cannot play. Requests whose
host or origin is another are refused, so that other pages in the same browser cannot either.
"""

import base64
import hashlib
import json
import re
import secrets
import socket
from collections.abc import Callable
from importlib import resources
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blob_zero.errors import BlobError, ConfigError
from blob_zero.play.house import House, StaleError

MAX_BODY = 64 << 10
"""Most bytes of a request's body."""

_PAGE = resources.files("blob_zero.play").joinpath("page.html")


def application(house: House, token: str, hosts: frozenset[str]) -> ASGIApp:
    """The server as an ASGI application.

    Args:
        house: the games.
        token: the first part of every path.
        hosts: the hosts, with ports, under which the page may be asked for.
    """
    game = "/{token}/api/game/{name}"
    routes = [
        Route("/{token}/", lambda _: _page()),
        Route("/{token}/api/lobby", _get(lambda _, __: house.lobby())),
        Route("/{token}/api/new", _post(lambda _, body: house.new(body)), methods=["POST"]),
        Route("/{token}/api/import", _post(lambda _, body: house.bring_in(str(body.get("text")))), methods=["POST"]),
        Route("/{token}/api/drill", _get(lambda _, query: house.drill(_number(query, "seed"), anew="anew" in query))),
        Route("/{token}/api/drill", _post(lambda _, body: _answer(house, body)), methods=["POST"]),
        Route(game, _get(lambda name, _: house.view(name))),
        Route(f"{game}/review", _get(lambda name, query: house.review(name, _optional(query, "round")))),
        Route(f"{game}/duplicate", _get(lambda name, _: house.duplicate(name))),
        Route(f"{game}/text", _text(house)),
        Route(f"{game}/act", _post(house.act), methods=["POST"]),
        Route(f"{game}/advance", _post(lambda name, _: house.advance(name)), methods=["POST"]),
        Route(f"{game}/next", _post(lambda name, _: house.next_round(name)), methods=["POST"]),
        Route(f"{game}/undo", _post(lambda name, _: house.undo(name)), methods=["POST"]),
        Route(f"{game}/hint", _post(lambda name, _: house.hint(name)), methods=["POST"]),
        Route(f"{game}/delete", _post(lambda name, _: house.delete(name)), methods=["POST"]),
    ]
    return _Guard(Starlette(routes=routes), token, hosts)


class _Guard:
    """Refuses requests with another token, host or origin, and bodies that are too large."""

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            await _error(413, f"a request has at most {MAX_BODY} bytes")(scope, receive, send)
            return

        async def whole() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, whole, send)

    def _refusal(self, request: Request) -> Response | None:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host not in self._hosts:
            return _error(403, f"the host is {host[:80]!r}; use the address that the server printed")
        if origin is not None and origin not in {f"http://{known}" for known in self._hosts}:
            return _error(403, f"requests of the page {origin[:80]!r} are not answered")
        if request.headers.get("sec-fetch-site") == "cross-site" and request.method != "GET":
            return _error(403, "requests of other pages are not answered")
        token = request.url.path.split("/")[1]
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return _error(404, "the token is another; use the address that the server printed")
        return None


async def _body(receive: Receive) -> bytes | None:
    """The body of a request; None if it is too large, or the client has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


_Endpoint = Callable[[Request], Any]


def _get(answer: Callable[[str, dict[str, str]], Any]) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        name, query = str(request.path_params.get("name", "")), dict(request.query_params)
        return await _answered(lambda: answer(name, query))

    return endpoint


def _post(answer: Callable[[str, dict[str, Any]], Any]) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        name, content = str(request.path_params.get("name", "")), await request.body()
        # A form of another page cannot have this type.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return _error(415, "the content type of a request is application/json")
        try:
            body = json.loads(content or b"{}")
        except (ValueError, RecursionError):
            return _error(400, "the request is no JSON")
        if not isinstance(body, dict):
            return _error(400, "a request is a JSON object")
        return await _answered(lambda: answer(name, body))

    return endpoint


def _text(house: House) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        name, challenge = request.path_params["name"], "challenge" in request.query_params
        try:
            text = await run_in_threadpool(lambda: house.text(name, challenge=challenge))
        except BlobError as error:
            return _error(400, str(error))
        return _guarded(PlainTextResponse(text))

    return endpoint


async def _answered(answer: Callable[[], Any]) -> Response:
    try:
        return _guarded(JSONResponse(await run_in_threadpool(answer)))
    except StaleError as error:
        return _error(409, str(error))
    except BlobError as error:
        return _error(400, str(error))


def _error(status: int, message: str) -> Response:
    return _guarded(JSONResponse({"error": message}, status_code=status))


def _answer(house: House, body: dict[str, Any]) -> Any:  # noqa: ANN401 - plain data
    number = body.get("exercise")
    if type(number) is not int:
        raise ConfigError("exercise is the number of an exercise")
    return house.answer(number, str(body.get("action")))


def _number(query: dict[str, str], name: str) -> int:
    text = query.get(name, "")
    if not re.fullmatch(r"\d{1,9}", text):
        raise ConfigError(f"{name} is {text[:20]!r}; it is a number")
    return int(text)


def _optional(query: dict[str, str], name: str) -> int | None:
    return _number(query, name) if name in query else None


def _page() -> Response:
    page = _PAGE.read_text(encoding="utf-8")
    script = page.partition("<script>")[2].partition("</script>")[0]
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    response = HTMLResponse(page)
    response.headers["content-security-policy"] = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return _guarded(response)


def _guarded(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    response.headers["x-content-type-options"] = "nosniff"
    response.headers["referrer-policy"] = "no-referrer"
    return response


class Server:
    """The game on a port of this machine.

    Args:
        house: the games.
        port: the port; 0 for any that is free.

    Attributes:
        address: where the page is, with its token.

    Raises:
        ConfigError: the port is taken.
    """

    def __init__(self, house: House, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
            self._socket.listen(128)  # a browser that is early waits
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise ConfigError(f"cannot listen on port {port}: {error}; choose another with --port") from error
        port = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(16)
        self.address = f"http://127.0.0.1:{port}/{token}/"
        app = application(house, token, frozenset({f"127.0.0.1:{port}", f"localhost:{port}"}))

        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1)
        )

    def run(self) -> None:
        """Serves until Ctrl-C, or `stop`."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ends `run` from another thread."""
        self._server.should_exit = True
