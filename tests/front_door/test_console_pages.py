"""The console's pages: whole, with headers that let nothing else in, open to everybody, and nothing beside them."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from chidori_actors.front_door.console_pages import STATIC, add_console
from chidori_actors.settings import Settings

from .small_app import Client, Told, bare, routed, served

KEYED = Settings(api_key="secret-key")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "js").mkdir(parents=True)
    (static / "index.html").write_text("<title>the page</title>")
    (static / "js" / "main.js").write_text("export const é = 1;")
    (static / "console.css").write_text("body {}")
    (static / "notes.txt").write_text("not for the web")
    (static / ".hidden.js").write_text("1")
    (tmp_path / "secret.js").write_text("the secret")
    return static


def app_of(folder: Path, settings: Settings = KEYED) -> web.Application:
    app = bare(settings)
    add_console(app, folder)
    return app


def is_the_page(told: Told) -> bool:
    return told.status == 200 and b"the page" in told.body


async def test_the_package_has_the_page_and_serves_it_without_the_key() -> None:
    async with served(routed(KEYED)) as send:
        told = await send("GET", "/console/")
    assert told.status == 200
    assert told.body == (STATIC / "index.html").read_bytes()


@pytest.mark.parametrize("query", ["", "?a=1"])
async def test_the_console_s_name_leads_to_its_folder(folder: Path, query: str) -> None:
    async with served(app_of(folder)) as send:
        told = await send("GET", "/console" + query)
    assert (told.status, told.headers["Location"]) == (308, "/console/" + query)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("console.css", "text/css; charset=utf-8"),
    ],
)
async def test_files_have_their_types_and_headers_that_let_nothing_else_in(folder: Path, path: str, kind: str) -> None:
    async with served(app_of(folder)) as send:
        told, head = await send("GET", f"/console/{path}"), await send("HEAD", f"/console/{path}")
    assert told.status == head.status == 200
    assert told.headers["Content-Type"] == head.headers["Content-Type"] == kind
    assert told.headers["Etag"] == head.headers["Etag"]
    assert (int(head.headers["Content-Length"]), head.body) == (len(told.body), b"")
    policy = told.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"} <= set(policy)
    assert "require-trusted-types-for 'script'" in policy
    assert told.headers["X-Content-Type-Options"] == "nosniff"
    assert told.headers["Referrer-Policy"] == "no-referrer"
    assert told.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert told.headers["Cache-Control"] == "no-cache"


async def test_what_the_browser_has_is_not_sent_again_until_it_changes(folder: Path) -> None:
    async with served(app_of(folder)) as send:
        etag = (await send("GET", "/console/console.css")).headers["Etag"]
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            again = await send("GET", "/console/console.css", headers={"If-None-Match": known})
            assert (again.status, again.body, again.headers["Etag"]) == (304, b"", etag), known
        (folder / "console.css").write_text("body { color: red }")
        changed = await send("GET", "/console/console.css", headers={"If-None-Match": etag})
        assert (changed.status, changed.body) == (200, b"body { color: red }")


@pytest.mark.parametrize(
    "path", ["runs/some-id", "runs/some-id/compare/other.id", "runs/v1.2", "runs/a.js", "anything"]
)
async def test_a_view_of_the_page_can_be_opened_and_reloaded(folder: Path, path: str) -> None:
    async with served(app_of(folder)) as send:
        assert is_the_page(await send("GET", f"/console/{path}"))


@pytest.mark.parametrize("path", ["js/missing.js", "notes.txt", ".hidden.js", "js", "js/", "favicon.ico"])
async def test_what_is_no_file_of_the_console_is_not_served(folder: Path, path: str) -> None:
    async with served(app_of(folder)) as send:
        told = await send("GET", f"/console/{path}")
    assert is_the_page(told) or (told.status == 404 and "there is nothing at" in told.json["error"])
    assert b"not for the web" not in told.body


@pytest.mark.parametrize(
    "path",
    [
        "../secret.js",
        "%2e%2e/secret.js",
        "..%2fsecret.js",
        "%2e%2e%2fsecret.js",
        "js/../../secret.js",
        "..%5csecret.js",
    ],
)
async def test_nothing_beside_the_console_is_served(folder: Path, path: str) -> None:
    async with served(app_of(folder)) as send:
        told = await _raw(send, f"/console/{path}")
    assert b"the secret" not in told
    assert told.startswith(b"HTTP/1.1 404 "), told


async def test_a_link_out_of_the_folder_by_a_null_is_no_path(folder: Path) -> None:
    async with served(app_of(folder)) as send:
        assert (await send("GET", "/console/js%00main.js")).status == 404


async def test_a_name_that_no_file_can_have_is_none(folder: Path) -> None:
    async with served(app_of(folder)) as send:
        assert (await send("GET", f"/console/{'a' * 300}.js")).status == 404


async def test_other_methods_are_refused_and_nothing_reaches_the_agent() -> None:
    async with served(routed(Settings())) as send:
        for path in ("/console", "/console/", "/console/x.js"):
            told = await send("POST", path)
            assert (told.status, told.headers["Allow"]) == (405, "GET, HEAD")
        assert b"outside" not in (await send("GET", "/console/x.js")).body


async def test_an_encoded_slash_does_not_open_the_event_paths() -> None:
    async with served(routed(KEYED)) as send:
        assert (await _raw(send, "/console%2Fhook", "POST")).startswith(b"HTTP/1.1 401 ")


async def _raw(client: Client, path: str, method: str = "GET") -> bytes:
    """The answer to a path that is sent as it stands: clients take dots out of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(client.url.rpartition(":")[2]))
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
