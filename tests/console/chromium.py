"""Debian's Chromium, driven through the console that a test serves, with everything watched that it must not do."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, async_playwright

CHROMIUM = shutil.which("chromium")
Scheme = Literal["light", "dark"]

# Nothing of the browser's own may go to the network.
_OPTIONS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
_PATIENCE_MS = 20_000
# A violation is told as an event whether or not the browser also writes it to its console.
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no `chromium` to test the console with")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless browser of its own."""
    assert CHROMIUM is not None
    # Chromium's own sandbox does not work for root.
    options = [*_OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watch:
    """What the pages of a context did that they must not do; ``expected`` are patterns of console errors that a test
    provokes, such as those of a server that is away."""

    host: str
    expected: tuple[str, ...] = ()
    faults: list[str] = field(default_factory=list)

    def begin(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"page error: {error.error}"))
        context.on("request", self._request)
        context.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(each, message.text) for each in self.expected):
            self.faults.append(f"console error: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("blob", "data") and address.netloc != self.host:
            self.faults.append(f"request to another host: {request.url}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"{dialog.type}: {dialog.message}")
        await dialog.dismiss()


@asynccontextmanager
async def tab_in(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    height: int = 800,
    scheme: Scheme = "light",
    expected: Sequence[str] = (),
    script: str = "",
) -> AsyncIterator[Page]:
    """A page at ``url`` with a context of its own; ``script`` runs in it before its own scripts do.

    At the end the test fails if a page of that context had an error that is not ``expected`` (patterns), violated its
    content security policy, opened a dialog of the browser or asked another host.
    """
    watch = Watch(urlsplit(url).netloc, tuple(expected))
    context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    try:
        context.set_default_timeout(_PATIENCE_MS)
        await context.add_init_script(_TELL_VIOLATIONS + script)
        watch.begin(context)
        page = await context.new_page()
        await page.goto(url)
        yield page
    finally:
        await context.close()
    assert watch.faults == [], "\n".join(watch.faults)


@asynccontextmanager
async def page_at(url: str, *, width: int = 1280, height: int = 800) -> AsyncIterator[Page]:
    """The same in a browser of its own."""
    async with chromium() as browser, tab_in(browser, url, width=width, height=height) as page:
        yield page
