"""The server's key: asked for once, kept for the tab, and for no other tab."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.chromium import tab_in
from tests.support.agents import write_agent
from tests.support.server import server_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENT = "export async function agent(input, chidori) { return await chidori.prompt('hello'); }"
KEY = "the-key-of-the-test"
REFUSED = (r"the server responded with a status of 401",)


async def test_the_key_is_asked_for_once_and_kept_for_this_tab_alone(browser: Browser, tmp_path: Path) -> None:
    async with server_process(write_agent(tmp_path, AGENT), {"CHIDORI_API_KEY": KEY}) as server:
        address = f"{server.url}/console/"
        async with tab_in(browser, address, expected=REFUSED) as page:
            dialogs = page.get_by_role("dialog", name="This server wants a key")
            # Both the list and the header asked the server and were refused.
            await expect(dialogs).to_have_count(1)
            await expect(dialogs.get_by_label("Key", exact=True)).to_be_focused()
            await _give(page, "not-the-key")
            await expect(dialogs.get_by_role("alert")).to_have_text("The server did not take this key.")
            await _give(page, KEY)
            await expect(page.get_by_text("There are no runs in this store yet.")).to_be_visible()
            await expect(dialogs).to_have_count(0)

            await page.reload()
            await expect(page.get_by_text("There are no runs in this store yet.")).to_be_visible()
            await expect(page.get_by_role("button", name="Forget key")).to_be_visible()
            await expect(dialogs).to_have_count(0)
            assert KEY not in page.url
            assert await page.evaluate("Object.values({...localStorage, cookie: document.cookie}).join('')") == ""

            other = await page.context.new_page()
            await other.goto(address)
            await expect(other.get_by_role("dialog", name="This server wants a key")).to_be_visible()

            await page.get_by_role("button", name="Forget key").click()
            await page.reload()
            await expect(dialogs).to_have_count(1)
        async with tab_in(browser, address, expected=REFUSED) as page:
            await expect(page.get_by_role("dialog", name="This server wants a key")).to_be_visible()
            await expect(page.locator("tr.run")).to_have_count(0)


async def test_without_a_key_the_page_says_what_is_missing_and_asks_again(browser: Browser, tmp_path: Path) -> None:
    async with (
        server_process(write_agent(tmp_path, AGENT), {"CHIDORI_API_KEY": KEY}) as server,
        tab_in(browser, f"{server.url}/console/", expected=REFUSED) as page,
    ):
        dialog = page.get_by_role("dialog", name="This server wants a key")
        await expect(dialog).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("runs-view .notice")).to_contain_text("It is the server's CHIDORI_API_KEY.")
        await page.get_by_role("button", name="Try again").click()
        await _give(page, KEY)
        await expect(page.get_by_text("There are no runs in this store yet.")).to_be_visible()


async def _give(page: Page, key: str) -> None:
    dialog = page.get_by_role("dialog", name="This server wants a key")
    await dialog.get_by_label("Key", exact=True).fill(key)
    await page.keyboard.press("Enter")
