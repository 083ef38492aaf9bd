"""What agents, models and webhooks wrote is shown as text wherever it stands, and runs nothing."""

from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Locator, Page, expect

from tests.console.chromium import tab_in
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.examples import asking
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.server import server_process

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

MARKUP = (
    "<img src=x onerror=\"globalThis.ran='img'\">"
    "</script><script>globalThis.ran='script'</script></textarea></title><svg onload=\"globalThis.ran='svg'\">"
    "<a href=\"javascript:globalThis.ran='link'\">click</a><iframe srcdoc=\"<script>parent.ran='frame'</script>\">"
    "</iframe><style>*{display:none}</style><form action=https://example.com><button>x</button></form>"
    "{{constructor.constructor(\"globalThis.ran='template'\")()}} ${globalThis.ran='literal'} javascript:alert(1)"
)
# Marks that turn the direction of writing, and one that never ends.
TURNED = "\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd \u061c\u200f"
LONG = "W" * 20_000
HOSTILE = f"{MARKUP} {TURNED}"
NAME = "<img src=x onerror=ran=1>.ts"
AGENT = """
export async function agent({ event }, chidori) {
  const { text, long } = event.body;
  console.log(text);
  await chidori.log(text, { [text]: text });
  const answer = await chidori.prompt(text, { system: text, model: "a/<b>model" });
  await chidori.prompt(long);
  await chidori.checkpoint(text, { long });
  await chidori.tryCall(() => chidori.parallel([() => { throw new Error(text); }]));
  const child = await chidori.callAgent("<img src=x onerror=ran=1>.child.ts", { text });
  const said = await Promise.all([
    chidori.input(text, { choices: [text, "</label><script>ran=2</script>"], type: text }),
    chidori.input(`${text} ${long}`, { default: text }),
  ]);
  throw new Error(`${text} ${answer} ${said} ${child} ${long}`);
}
"""
CHILD = "export async function agent({ text }, chidori) { await chidori.log(text); return text; }"


async def test_text_of_others_is_shown_everywhere_and_runs_nowhere(browser: Browser, tmp_path: Path) -> None:
    agent = write_agent(tmp_path, AGENT, NAME)
    (tmp_path / NAME.replace(".ts", ".child.ts")).write_text(CHILD, encoding="utf-8")
    hooks = tmp_path / "hooks.json"
    hooks.write_bytes(orjson.dumps({"/hook": {"kind": "open"}}))
    async with OpenAIServer() as model, ClientSession() as session:
        environ = {**asking(model), "CHIDORI_WEBHOOKS": str(hooks)}
        async with server_process(agent, environ) as server:
            model.script.extend([Scripted(content=HOSTILE), Scripted(content=LONG)])
            client = Client(server.url, session)
            await client("POST", "/hook", json={"text": HOSTILE, "long": LONG})
            [run] = (await client("GET", "/sessions")).json["sessions"]
            assert run["pending_count"] == 2, run
            async with tab_in(browser, f"{server.url}/console/") as page:
                row = page.locator("tr.run")
                await _is_text(page, row.locator(".run-note"))
                await expect(row.locator(".run-agent")).to_have_text(NAME)
                await row.locator(".run-link").click()

                await _look_at_the_run(page)
                await _answer(page)
                await expect(page.locator(".run-top .badge")).to_have_text("failed")
                await _is_text(page, page.locator(".run-error pre"))
                fork = await client(
                    "POST", f"/sessions/{run['id']}/branch", json={"at": 2, "result": HOSTILE + "!", "note": HOSTILE}
                )
                assert fork.status == 201, fork.body
                await _look_at_the_fork(page, server.url, run["id"], fork.json["id"])
                await page.goto(f"{server.url}/console/")
                await _is_text(page, page.locator("tr.run .run-note").last)


async def _look_at_the_run(page: Page) -> None:
    for form in await page.locator("form.question").all():
        await _is_text(page, form)
    await expect(page.locator(".tl-label").last).to_contain_text("child.ts")
    await page.locator(".run-values summary").click()
    await page.locator(".run-values").get_by_role("button", name="body: {").last.click()
    await _is_text(page, page.locator(".run-values"))
    await page.locator(".tl-cursor").focus()
    await page.keyboard.press("End")
    # The cursor lets the pointer through to the canvas.
    await page.locator(".tl-cursor").hover(force=True)
    await _is_text(page, page.locator(".tl-tip"))
    await page.get_by_role("link", name="Calls", exact=True).click()
    await expect(page.locator("td.calls-seq")).to_have_count(9)
    seqs = await page.locator("td.calls-seq").all_text_contents()
    for seq in seqs:
        await page.get_by_role("link", name=f"Call {seq}", exact=True).click()
        detail = page.locator("call-detail")
        await expect(detail.locator(".call-head h2")).to_contain_text(f"#{seq} ")
        await detail.locator("details").evaluate_all("(all) => all.forEach((each) => (each.open = true))")
        await expect(detail).to_contain_text("WWWWW" if seq in ("3", "4") else "onerror")
        await _runs_nothing(page)
        if await detail.get_by_role("button", name="Edit and fork").count():
            await detail.get_by_role("button", name="Edit and fork").click()
            await expect(page.locator(".fork-command pre, .edit-refusal .notice").first).to_be_visible()
            await _runs_nothing(page)
            await page.get_by_role("dialog").get_by_role("button", name="Cancel", exact=True).click()
    await page.locator("call-detail").get_by_role("button", name="Close the call").click()
    await page.get_by_role("searchbox", name="Search the calls").fill(MARKUP)
    await expect(page.locator("td.calls-seq").first).to_be_visible()
    await page.get_by_role("link", name="Source & commands").click()
    await expect(page.locator("ul.commands li").first).to_be_visible()
    await _is_text(page, page.locator("ul.commands"), "onerror=ran=1")


async def _answer(page: Page) -> None:
    await page.locator("form.question").filter(has=page.get_by_role("radio")).get_by_role("radio").first.check()
    for left in (1, 0):
        await page.locator("form.question").first.get_by_role("button", name="Answer").click()
        await expect(page.locator("form.question")).to_have_count(left)


async def _look_at_the_fork(page: Page, url: str, run: str, fork: str) -> None:
    await page.goto(f"{url}/console/runs/{run}/forks")
    await _is_text(page, page.locator(".fork-note"))
    await page.goto(f"{url}/console/runs/{run}/compare/{fork}")
    toggles = page.locator("tr.pair .pair-toggle")
    await expect(toggles.first).to_be_visible()
    for toggle in await toggles.all():
        await toggle.click()
    await expect(page.locator(".pair-detail h3").first).to_be_visible()
    await _is_text(page, page.locator("run-compare"))
    await page.goto(f"{url}/console/runs/{run}?call=2")
    await page.get_by_role("button", name="Replay to here").click()
    await _is_text(page, page.locator(".printed"))


async def _is_text(page: Page, where: Locator, text: str = "onerror") -> None:
    await expect(where.first).to_contain_text(text)
    await _runs_nothing(page)


async def _runs_nothing(page: Page) -> None:
    """None of it became an element, none of it ran, and nothing of it pushes the page wide."""
    state = await page.evaluate(
        """() => ({
          ran: globalThis.ran ?? null,
          made: document.querySelectorAll("main :is(img, script, iframe, style, object, embed, [onerror], [onload], "
            + "[style*=display], a[href^='javascript' i], form[action])").length,
          wide: document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth,
        })"""
    )
    assert state == {"ran": None, "made": 0, "wide": False}
