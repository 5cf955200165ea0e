"""Access control for the local page: host, origin and token checks."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "lrnet-token"
SAFE_METHODS = ("GET", "HEAD")
OWN_SITES = ("same-origin", "none")  # values of Sec-Fetch-Site: our page, or the user's own hand
# A page may show its own pictures and videos, run its own script, and send nothing elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """An ASGI middleware that answers what may not be asked.

    A page of another site can make a browser send requests here, by its own name for this address
    too; so the host that was asked for must be this machine's own, and what changes something must
    come from our own page or from a program.

    Args:
        app: what is guarded.
        token: that each request must carry (`Authorization: Bearer`, or the cookie that
            `/?token=` sets); empty: none, and only this machine's own names are answered.
    """

    def __init__(self, app: ASGIApp, token: str = "") -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if self._token and scope["path"] == "/" and self._is_token(query.get("token", [""])[0]):
            cookie = f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(send, 303, "", [("location", "/"), ("set-cookie", cookie)])
        elif why := self._refusal(scope["method"], headers):
            await _answer(send, 401 if why == NO_TOKEN else 403, why)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, method: str, headers: dict[str, str]) -> str:
        """Why a request is not answered; empty where it is."""
        host = headers.get("host", "")
        if not self._token and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return "this page answers to localhost only; --serve HOST:PORT opens it to others"
        if self._token and not self._has_token(headers):
            return NO_TOKEN
        if method not in SAFE_METHODS:
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != host:
                return "another site asked for this; only this page may"
            if headers.get("sec-fetch-site", "none") not in OWN_SITES:
                return "another site asked for this; only this page may"
        return ""

    def _has_token(self, headers: dict[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(given.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._is_token(cookie.value)

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


NO_TOKEN = "this server asks for its token: open the address that it printed, or send it as Bearer"


async def _answer(
    send: Send, status: int, error: str, headers: Iterable[tuple[str, str]] = ()
) -> None:
    import json

    body = json.dumps({"error": error}).encode() if error else b""
    given = [("content-type", "application/json"), *headers, *HEADERS.items()]
    coded = [(key.encode(), value.encode("latin-1")) for key, value in given]
    await send({"type": "http.response.start", "status": status, "headers": coded})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {key.lower() for key, _ in message["headers"]}
            more = HEADERS | {"content-security-policy": POLICY}
            message["headers"] = [
                *message["headers"],
                *((k.encode(), v.encode()) for k, v in more.items() if k.encode() not in own),
            ]
        await send(message)

    return sending
