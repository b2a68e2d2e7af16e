"""Which requests are answered: by token, by ``Host`` header (DNS rebinding), and by origin (pages of other sites)."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tui_importer.server.answers import refused
from tui_importer.server.http_error import HttpError
from tui_importer.server.settings import LOOPBACK_NAMES, Settings

#: Paths that are answered without a token: they reveal nothing about uploads.
PUBLIC = frozenset({"/", "/page.js", "/page.css", "/health", "/openapi.json"})
#: Methods that change nothing (RFC 9110, 9.2.1).
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Passes permitted requests on to ``app``, and adds security headers to every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._token = None if settings.token is None else settings.token.encode()
        self._hosts = LOOPBACK_NAMES | settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except HttpError as http_error:
            await refused(http_error)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._settings.checks_host and _name_of(host) not in self._hosts:
            raise HttpError(403, "this server is not called that: allow the name of the Host header with --allow-host")
        if scope["method"] not in _SAFE:
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
                raise HttpError(403, "the request comes from a page of another site")
            if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
                raise HttpError(403, "the request comes from a page of another site")
        if self._token is not None and scope["path"] not in PUBLIC:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
                raise HttpError(
                    401,
                    "a token is required: send the header Authorization: Bearer TOKEN",
                    {"WWW-Authenticate": "Bearer"},
                )


def _name_of(host: str) -> str:
    """Return the name in a ``Host`` header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
