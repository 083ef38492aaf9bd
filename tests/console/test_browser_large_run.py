"""A run of 10,000 calls and 500 branches: opened soon, scrolled to its end, zoomed by keys and by the wheel."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bench.recorded_run import store_run
from chidori_actors.runtime import open_runtime
from tests.console.chromium import tab_in
from tests.support.agents import make_settings, write_agent
from tests.support.server import SECONDS, server_process

# All of them on one worker: the run takes a while to store and the figure is of one page at a time.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("large_run")]

CALLS, BRANCHES, FAILS_EVERY = 10_000, 500, 1000
OPENED_WITHIN_MS = 1500
LONG_TASKS = """
new PerformanceObserver((seen) => {
  globalThis.longTasks ??= [];
  globalThis.longTasks.push(...seen.getEntries().map((task) => Math.round(task.duration)));
}).observe({ type: "longtask", buffered: true });
"""
# When the first frame was drawn that has the lanes with their bars, since the navigation began.
PAINTED = """
const look = () => {
  const drawn = performance.getEntriesByName("timeline-frame").length > 0;
  const lanes = document.querySelectorAll(".tl-label .tl-name").length;
  if (!drawn || lanes < 8 || document.querySelector(".tl-blank")) return requestAnimationFrame(look);
  // The frame after the one in which that is drawn.
  requestAnimationFrame(() => (globalThis.painted = performance.now()));
};
look();
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Of the large run."""
    folder: Path = tmp_path_factory.mktemp("large")
    agent = write_agent(folder, "export async function agent() {}")
    async with open_runtime(make_settings(folder / ".chidori" / "store")) as runtime:
        await store_run(runtime.store, "large", calls=CALLS, branches=BRANCHES, fails_every=FAILS_EVERY)
    async with server_process(agent, {}) as server:
        yield f"{server.url}/console/runs/large"


async def test_its_timeline_is_there_in_a_second_and_a_half(
    browser: Browser, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = [await _opened_ms(browser, address) for _ in range(3)]
    with capsys.disabled():
        print(f"\n{CALLS:,} calls, {BRANCHES} branches: timeline after {', '.join(f'{ms:.0f}' for ms in opened)} ms")

    assert min(opened) < OPENED_WITHIN_MS


async def _opened_ms(browser: Browser, address: str) -> float:
    async with tab_in(browser, address, script=PAINTED) as page:
        await expect(page.locator(".tl-legend")).to_contain_text("9,990 done")
        painted = await _until(page, "globalThis.painted ?? null", lambda value: value is not None)
        assert await page.evaluate(INKED) > 20
        return float(painted)


# How many colours the lower half of the canvas has: of an empty one two or three.
INKED = """() => {
  const canvas = document.querySelector(".tl-plot canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) colours.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
  return colours.size;
}"""


async def test_it_is_scrolled_to_its_end_and_zoomed_by_wheel_and_keys(
    browser: Browser, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with tab_in(browser, address, script=LONG_TASKS) as page:
        await expect(page.locator(".tl-label .tl-name").first).to_be_visible()
        await page.evaluate("globalThis.longTasks = []")
        box = await page.locator(".tl-plot").bounding_box()
        assert box is not None
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await page.mouse.move(*middle)
        last = page.locator(f".tl-label[aria-posinset='{BRANCHES + 1}'] .tl-name")
        await _until(page, AT_END, bool, lambda: page.mouse.wheel(0, 1500))
        await expect(last).to_be_visible()

        whole = await page.locator(".tl-brush").evaluate(WIDTH)
        await page.keyboard.down("Control")
        for _ in range(6):
            await page.mouse.wheel(0, -240)
        await page.keyboard.up("Control")
        near = await _until(page, f"({WIDTH})(document.querySelector('.tl-brush'))", lambda width: width < whole / 4)
        await page.keyboard.press("-")
        await page.keyboard.press("-")
        await _until(page, f"({WIDTH})(document.querySelector('.tl-brush'))", lambda width: width > near)
        await page.keyboard.press("+")
        await page.keyboard.press("f")
        await _until(page, f"({WIDTH})(document.querySelector('.tl-brush'))", lambda width: width == whole)

        tasks = await page.evaluate("globalThis.longTasks")
    with capsys.disabled():
        print(f"\nlong tasks while {BRANCHES + 1} lanes were scrolled and zoomed: {sorted(tasks, reverse=True)[:5]} ms")


AT_END = "((each) => each.scrollTop + each.clientHeight >= each.scrollHeight - 1)(document.querySelector('.tl-scroll'))"
WIDTH = "(brush) => brush.getBoundingClientRect().width"


async def test_keys_go_to_its_failed_calls_and_into_a_branch(browser: Browser, address: str) -> None:
    async with tab_in(browser, address) as page:
        await expect(page.locator(".tl-legend")).to_contain_text("10 failed")
        await page.keyboard.press("n")
        cursor = page.locator(".tl-cursor")
        await expect(cursor).to_have_attribute("aria-label", _named("#1000 prompt"))
        await page.keyboard.press("n")
        await expect(cursor).to_have_attribute("aria-label", _named("#2000 prompt"))
        await page.keyboard.press("Enter")
        await expect(page.locator("call-detail .call-head h2")).to_have_text("#2000 prompt")
        await page.keyboard.press("Escape")
        await expect(page.locator("call-detail")).to_have_count(0)
        await expect(cursor).to_be_focused()


async def test_its_calls_are_a_table_that_is_searched_and_scrolled_page_by_page(browser: Browser, address: str) -> None:
    async with tab_in(browser, f"{address}/calls") as page:
        await expect(page.locator("call-list .calls-filters [role=status]")).to_have_text("10,000 calls")
        await page.get_by_role("link", name="Call 1", exact=True).focus()
        await page.keyboard.press("End")
        await expect(page.get_by_role("link", name="Call 10000", exact=True)).to_be_focused()
        await page.get_by_role("searchbox", name="Search the calls").fill("part 7777")
        await expect(page.locator("call-list .calls-filters [role=status]")).to_have_text("1 call")
        assert await page.locator("call-list tbody tr").count() < 100


def _named(call: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(call)}")


async def _until(
    page: Page, expression: str, is_so: Callable[[Any], bool], act: Callable[[], Awaitable[None]] | None = None
) -> Any:
    """What an expression gives in the page as soon as it is as wanted; ``act`` is done before each other look. The
    page's content security policy does not let Playwright wait in the page itself."""
    async with asyncio.timeout(SECONDS):
        while not is_so(value := await page.evaluate(expression)):
            await (act() if act else page.evaluate(FRAME))
    return value


FRAME = "() => new Promise((done) => requestAnimationFrame(done))"
