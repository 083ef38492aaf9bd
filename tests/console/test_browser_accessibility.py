"""Everybody can use it: axe-core finds no serious fault in any view, the keyboard alone does, and 400 px are enough."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.console.chromium import Scheme, tab_in
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.examples import asking
from tests.support.openai_server import OpenAIServer
from tests.support.server import server_process

# The runs are made once, on one worker.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("accessibility")]

AGENT = """
export async function agent({ way }, chidori) {
  console.log("the agent begins");
  const outline = await chidori.prompt(`An outline of ${way}`, { system: "Be brief.", temperature: 0 });
  await chidori.log("outlined", { way });
  const parts = await chidori.parallel([1, 2, 3].map((part) => () => chidori.prompt(`Part ${part}: ${outline}`)));
  const text = await chidori.execJs("({ pages: 3, title: 'A text' })");
  if (way === "asks") {
    await Promise.all([
      chidori.input("Who is the author?"),
      chidori.input("Print it?", { choices: ["yes", "no"], default: "no" }),
      chidori.input("Which size?", { choices: ["a page that is as large as this one", "a small page", "no page"] }),
    ]);
  }
  if (way === "fails") throw new Error("the printer is on fire");
  return { text, parts };
}
"""


# What calls of the agent answered with a text, and with JSON.
PROMPT, JSON = 1, 7


@dataclass(frozen=True)
class Runs:
    """Where they are shown: ``done`` has a fork, ``fails`` failed, ``asks`` waits for three answers."""

    root: str
    fork: str

    @property
    def views(self) -> dict[str, str]:
        """The address of each view; every one has something to show."""
        return {
            "list": "",
            "timeline": "runs/done",
            "call": "runs/done?call=1",
            "failed": "runs/fails",
            "questions": "runs/asks",
            "calls": "runs/done/calls",
            "forks": "runs/done/forks",
            "compare": f"runs/done/compare/{self.fork}",
            "partner": "runs/done/compare",
            "commands": "runs/done/commands",
            "unknown": "runs/nobody",
        }


# What each view shows once it is complete.
SHOWN = {
    "list": "tr.run .badge",
    "timeline": ".tl-label .tl-name",
    "call": "call-detail .messages",
    "failed": ".run-error",
    "questions": "form.question",
    "calls": "td.calls-seq",
    "forks": "[role=treeitem]",
    "compare": "tr.pair",
    "partner": "run-compare a",
    "commands": "ul.commands li",
    "unknown": ".notice.bad",
}
SCHEMES = ["light", "dark"]
NOT_FOUND = (r"the server responded with a status of 404",)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runs]:
    folder: Path = tmp_path_factory.mktemp("accessible")
    async with (
        OpenAIServer() as model,
        server_process(write_agent(folder, AGENT), asking(model)) as server,
        ClientSession() as session,
    ):
        client = Client(server.url, session)
        for way in ("done", "fails", "asks"):
            await client("POST", "/sessions", json={"input": {"way": way}, "session_id": way})
        told = await client("POST", "/sessions/done/branch", json={"at": 1, "result": "other", "note": "a try"})
        assert told.json["status"] == "completed", told.body
        yield Runs(f"{server.url}/console/", told.json["id"])


async def _no_serious_fault(page: Page) -> None:
    found = await Axe().run(page)
    serious = [each for each in found.response["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["target"] for node in each["nodes"]][:4]) for each in serious] == [], page.url


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_no_serious_fault_in_any_view(browser: Browser, runs: Runs, scheme: Scheme) -> None:
    async with tab_in(browser, runs.root, scheme=scheme, expected=NOT_FOUND) as page:
        for view, address in runs.views.items():
            await page.goto(runs.root + address)
            await expect(page.locator(SHOWN[view]).first).to_be_visible()
            await _no_serious_fault(page)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_no_serious_fault_in_what_opens_over_the_page(
    browser: Browser, runs: Runs, scheme: Scheme
) -> None:
    async with tab_in(browser, f"{runs.root}runs/done?call=1", scheme=scheme) as page:
        await page.get_by_role("button", name="Replay to here").click()
        await expect(page.locator(".replay-verdict")).to_be_visible()
        await _no_serious_fault(page)
        for seq in (PROMPT, JSON):
            await page.goto(f"{runs.root}runs/done?call={seq}")
            await page.get_by_role("button", name="Edit and fork").click()
            await expect(page.get_by_role("dialog").get_by_role("textbox", name="Result")).to_be_visible()
            await _no_serious_fault(page)
            await page.keyboard.press("Escape")
        await page.goto(f"{runs.root}runs/done/compare/{runs.fork}")
        await page.get_by_role("button", name="changed: call at 1", exact=True).click()
        await expect(page.locator(".pair-open .diff-added").first).to_be_visible()
        await _no_serious_fault(page)
        await page.goto(f"{runs.root}runs/asks")
        await page.get_by_role("button", name="Cancel run").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await _no_serious_fault(page)
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        await _no_serious_fault(page)


async def test_at_400_pixels_nothing_is_wider_than_the_page(browser: Browser, runs: Runs) -> None:
    async with tab_in(browser, runs.root, width=400, expected=NOT_FOUND) as page:
        for view, address in runs.views.items():
            await page.goto(runs.root + address)
            await expect(page.locator(SHOWN[view]).first).to_be_visible()
            await _fits(page)
        await page.goto(runs.root + runs.views["call"])
        await page.get_by_role("button", name="Edit and fork").click()
        await expect(page.locator(".fork-command pre")).to_be_visible()
        await _fits(page)


async def _fits(page: Page) -> None:
    wide = await page.evaluate(
        """() => {
          const { scrollWidth, clientWidth } = document.scrollingElement;
          return [...document.querySelectorAll("dialog[open]")].map((each) => [each.scrollWidth, each.clientWidth])
            .concat([[scrollWidth, clientWidth]]).filter(([wanted, given]) => wanted > given);
        }"""
    )
    assert wide == [], page.url


async def test_the_keyboard_alone_leads_from_the_list_to_a_fork_and_back(browser: Browser, runs: Runs) -> None:
    async with tab_in(browser, runs.root) as page:
        press = page.keyboard.press
        await expect(page.locator("tr.run").first).to_be_visible()
        await press("/")
        await expect(page.get_by_role("searchbox")).to_be_focused()
        await page.keyboard.type("fire")
        await expect(page.locator("tr.run")).to_have_count(1)
        await press("Escape")
        await press("Escape")
        await expect(page.locator("tr.run")).to_have_count(4)
        await press("j")
        await _until_focused(page, press, "j", "tr[data-run=done] .run-link")
        await _focus_is_visible(page)
        await press("Enter")

        await expect(page.locator("main")).to_be_focused()
        await expect(page.locator(".tl-label .tl-name").first).to_be_visible()
        await _until_focused(page, press, "Tab", ".tl-cursor")
        await _focus_is_visible(page)
        await press("Home")
        await press("Enter")
        await expect(page.locator("call-detail .call-head h2")).to_be_focused()
        await expect(page.locator("call-detail .call-head h2")).to_have_text("#1 prompt")
        await _until_focused(page, press, "Tab", ".call-actions button.primary")
        await _focus_is_visible(page)
        await press("Enter")

        editor = page.get_by_role("textbox", name="Result")
        await expect(editor).to_be_focused()
        await press("ControlOrMeta+a")
        await page.keyboard.type("typed by hand")
        # Tab indents in the editor, which says so; after Escape it leaves.
        await expect(page.get_by_role("dialog")).to_contain_text("Press Esc, then Tab, to leave the editor.")
        await press("Escape")
        await _until_focused(page, press, "Tab", ".edit-actions button[type=submit]")
        await _focus_is_visible(page)
        # The focus stays in the dialog.
        await press("Tab")
        assert await page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        await press("Escape")
        await expect(page.get_by_text("Discard what you changed?")).to_be_visible()
        await expect(page.get_by_role("button", name="Keep editing")).to_be_focused()
        await press("Tab")
        await press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.get_by_role("button", name="Edit and fork")).to_be_focused()

        await press("Escape")
        await expect(page.locator("call-detail")).to_have_count(0)
        await expect(page.locator(".tl-cursor")).to_be_focused()
        await page.go_back()
        await page.go_back()
        await expect(page).to_have_url(runs.root)
        await expect(page.locator("tr.run")).to_have_count(4)


async def _until_focused(page: Page, press: Callable[[str], Awaitable[None]], key: str, selector: str) -> None:
    """Press a key until that element has the focus, as somebody does who looks at the page."""
    for _ in range(60):
        if await page.locator(selector).evaluate_all("(all) => all.includes(document.activeElement)"):
            return
        await press(key)
    raise AssertionError(f"60 times {key} did not lead to {selector}")


async def _focus_is_visible(page: Page) -> None:
    """What has the focus has an outline, or the row of which it is the handle has."""
    outlines = await page.evaluate(
        """() => {
          const focused = document.activeElement;
          if (!focused.matches(":focus-visible")) return [];
          return [focused, focused.closest("tr")].filter((each) => each).map((each) => {
            const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(each);
            return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
          });
        }"""
    )
    assert any(outlines)
