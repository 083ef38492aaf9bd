"""The console's pages: static files of the package, which hold no data and need no key."""

import hashlib
import os
import re
from pathlib import Path
from typing import NoReturn

from aiohttp import hdrs, web

from .refusal import Refused

PATH = "/console/"
"""Where the console is."""
CONSOLE = frozenset(("console", "console_files"))
"""Names of its routes."""

STATIC = Path(__file__).parent.parent / "console" / "static"
_INDEX = "index.html"
_RUNS = "runs/"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
"""No name begins with a dot: no hidden file, and no way out of the folder."""
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_HEADERS = {
    hdrs.CACHE_CONTROL: "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def add_console(app: web.Application, folder: Path = STATIC) -> None:
    """Register the console; ``folder`` has its files."""
    pages = _ConsolePages(folder)
    app.router.add_route(hdrs.METH_ANY, PATH.rstrip("/"), pages.redirect, name="console")
    app.router.add_route(hdrs.METH_ANY, PATH + "{file:.*}", pages.handle, name="console_files")


class _ConsolePages:
    """A path that names no file, as those of its views do, is the page itself, so that a view can be opened and
    reloaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle(self, request: web.Request) -> web.Response:
        """A file of the console.

        Raises:
            Refused: 404, there is no such file; 405, the method is another.
        """
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            _wrong_method(request)
        file = self._file(request.match_info["file"])
        if file is None:
            raise Refused(404, f"there is nothing at {request.path}")
        body = file.read_bytes()
        etag = hashlib.sha256(body).hexdigest()[:32]
        known = request.if_none_match or ()
        unchanged = any(each.value in (etag, "*") for each in known)
        response = (
            web.Response(status=304, headers=_HEADERS) if unchanged else web.Response(body=body, headers=_HEADERS)
        )
        if not unchanged:
            response.headers[hdrs.CONTENT_TYPE] = _TYPES[file.suffix]
        response.etag = etag
        return response

    async def redirect(self, request: web.Request) -> web.Response:
        """``/console`` itself: relative links need the slash.

        Raises:
            Refused: 405, the method is another than ``GET`` or ``HEAD``.
        """
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            _wrong_method(request)
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        return web.Response(status=308, headers={**_HEADERS, hdrs.LOCATION: PATH + query})

    def _file(self, path: str) -> Path | None:
        names = path.split("/")
        if all(_NAME.fullmatch(name) for name in names):
            file = self._folder.joinpath(*names)
            # os.path: a name that is too long for the file system is none of its files either.
            if file.suffix in _TYPES and os.path.isfile(file):
                return file
        # The id of a run may have dots.
        return self._folder / _INDEX if path.startswith(_RUNS) or "." not in names[-1] else None


def _wrong_method(request: web.Request) -> NoReturn:
    raise Refused(405, f"{request.path} takes GET, HEAD", headers={hdrs.ALLOW: "GET, HEAD"})
