"""What the other browser tests rely on: a page that does what it must not fails its test, and the policy stops it."""

import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.console.chromium import tab_in
from tests.support.agents import write_agent
from tests.support.server import server_process

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("watch")]

Event = Literal["pageerror", "dialog", "console"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    agent = write_agent(tmp_path_factory.mktemp("watch"), "export async function agent() {}")
    async with server_process(agent, {}) as server:
        yield f"{server.url}/console/"


# What a page might do, the event that it causes, and how it is told.
FAULTS: dict[str, tuple[str, Event, str]] = {
    "error": ("setTimeout(() => { throw new Error('by the page'); })", "pageerror", "page error: "),
    "dialog": ("setTimeout(() => alert('by the page'))", "dialog", "alert: by the page"),
    "message": ("console.error('by the page')", "console", "console error: by the page"),
    "request": ("void fetch('http://127.0.0.1:9/').catch(() => {})", "console", "content security policy: connect-src"),
    "image": (
        "document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/' }))",
        "console",
        "content security policy: img-src",
    ),
    "markup": (
        "try { document.body.innerHTML = '<img src=x onerror=ran=1>' } catch {}",
        "console",
        "content security policy: require-trusted-types-for",
    ),
    "link": (
        "document.body.append(Object.assign(document.createElement('a'), { href: 'javascript:ran=1', id: 'link' }));"
        "document.querySelector('#link').click()",
        "console",
        "content security policy: ",
    ),
    "style": (
        "document.head.append(Object.assign(document.createElement('style'), { textContent: '*{}' }))",
        "console",
        "content security policy: style-src",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_a_page_must_not_do_fails_its_test_and_runs_nothing(
    browser: Browser, address: str, fault: str
) -> None:
    does, event, told = FAULTS[fault]
    with pytest.raises(AssertionError, match=re.escape(told)):
        await _do(browser, address, does, event)


async def _do(browser: Browser, address: str, does: str, event: Event) -> None:
    async with tab_in(browser, address) as page:
        await expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
        async with page.expect_event(event):
            await page.evaluate(does)
        assert await page.evaluate("globalThis.ran ?? null") is None
