"""Screenshots of the console's main views, with the example agents: ``python -m tests.console.screenshots OUT``.

Everything is real but the model and GitHub: a server, its store, deliveries, forks. ``docs/images`` is where the README
has them from.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from playwright.async_api import Page, Route, expect

from tests.console.chromium import page_at
from tests.front_door.deliveries import Scene, environ_of, services
from tests.front_door.small_app import Client
from tests.support.examples import ROOT
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.server import SECONDS, server_process

LARGEST = 150_000
SHOWN_STORE = "/srv/chidori/store"
LABELS = ("bug", "feature", "question", "duplicate")
DECLARATION = ROOT / "agents" / "data" / "declaration.txt"

# What the model answers, by a part of the prompt.
ANSWERS = {
    "Classify this issue": "Most likely a bug.",
    "Review this pull request": "The greeting is now French while its test still expects English. Otherwise fine.",
    "Restate in one sentence": "Each team picks, runs and pays for the database that suits its service.",
    "worst risk for security": "Twelve engines to patch, and nobody who reads all their advisories.",
    "worst risk for cost": "Licences and idle replicas are paid twelve times, without a volume discount.",
    "worst risk for operations": "The person on call meets an engine that he has never restored from a backup.",
    "A remedy for this risk": "Offer three engines with backups, patches and restore drills run centrally.",
    "What ignoring this costs": "About two incidents a year, each a day long.",
    "Decide on": "Yes, among three supported engines; everything else needs an owner who is on call for it.",
    "Note the main points": "The part argues that governments rest on consent, and lists what the king has done.",
    "Summarize in three bullets": "- Rights are unalienable.\n- The king broke them.\n- The colonies are free states.",
    "For the blog": "The beta is open today. Tell us what breaks.",
    "For the mail": "You are in: the beta opens today, and your account is ready.",
    "how would you explain": "Like a game that is saved after each move: whoever takes it up plays on from there.",
    "Explain durable agents": "A durable agent writes down each answer that it gets before it goes on with it.",
    "Tighten this": "A durable agent writes down what it is told. Stopped anywhere, it goes on from there.",
}
MILLISECONDS = (310, 620, 450, 280, 700, 390, 540, 330, 610, 470, 360)
"""How long the model takes, in turn."""


def answer(prompt: str) -> str:
    return next((text for part, text in ANSWERS.items() if part in prompt), "Done.")


async def github(request: web.Request) -> web.StreamResponse:
    """GitHub knows four labels; the other services are those of the tests."""
    if request.path.endswith("/labels") and any(each not in LABELS for each in (await request.json())["labels"]):
        return web.json_response({"message": "Validation Failed"}, status=422)
    return await services(request)


async def _deliveries(scene: Scene) -> None:
    """Two deliveries and runs of other agents; the last ones wait for a person and for the model."""

    async def run(agent: str, given: dict[str, Any], **more: Any) -> None:
        scene.model.script.extend(Scripted(delay_ms=each) for each in MILLISECONDS)
        body = {"agent": agent, "input": given, "session_id": agent.removesuffix(".ts").replace("_", "-")}
        told = await scene.client("POST", "/sessions", json=body, **more)
        assert told.status < 300, told.body
        scene.model.script.clear()

    await run("summarizer.ts", {"document": DECLARATION.read_text(encoding="utf-8")})
    await scene.github("pull_request_opened")
    await run("parallel.ts", {"proposal": "Let every team choose its own database"})
    await run("approval.ts", {"news": "The beta is open"})
    await scene.github("issues_opened", _of_an_issue)
    scene.model.script.extend([Scripted(delay_ms=300), Scripted(delay_ms=500), Scripted(hold_after=6)])
    held = {"agent": "streaming_progress.ts", "input": {"topic": "durable agents"}, "session_id": "streaming-progress"}
    await scene.client("POST", "/sessions", json=held, headers={"Prefer": "respond-async"})
    async with asyncio.timeout(SECONDS):
        await scene.model.holding.wait()


def _of_an_issue(body: Any) -> None:
    body["issue"] |= {"title": "Saving twice loses the draft", "body": "Press Save twice quickly: the second one wins."}


async def _pictures(page: Page, scene: Scene, out: Path) -> None:
    [failed] = (await scene.client("GET", "/sessions?status=failed")).json["sessions"]
    root = f"{scene.client.url}/console/"
    await expect(page.locator("tr.run")).to_have_count(6)
    await _take(page, out, "runs")

    await page.goto(f"{root}runs/parallel?call=3")
    await expect(page.locator(".tl-label .tl-name").nth(9)).to_be_visible()
    await expect(page.locator("call-detail .messages")).to_be_visible()
    await _take(page, out, "run")

    await page.goto(f"{root}runs/{failed['id']}?call=1")
    await page.get_by_role("button", name="Edit and fork").click()
    await page.get_by_role("textbox", name="Result").fill("bug")
    await page.get_by_label("Note").fill("GitHub wants the bare word")
    await expect(page.locator(".fork-command pre")).to_contain_text('"bug"')
    await expect(page.locator(".fork-preview.stale")).to_have_count(0)
    await _take(page, out, "edit")

    await page.get_by_role("button", name="Start fork").click()
    await expect(page.get_by_text("Fork at call #1 of")).to_be_visible()
    await expect(page.locator(".run-top .badge")).to_have_text("completed")
    fork = page.url.rpartition("/")[2]
    await page.goto(f"{root}runs/{failed['id']}/compare/{fork}")
    await page.get_by_role("button", name="changed: call at 1", exact=True).click()
    await expect(page.locator(".pair-open .diff-added").first).to_be_visible()
    await _take(page, out, "compare")


async def _name_store(page: Page, store: str) -> None:
    """Show the temporary store as one of a machine that serves."""

    async def name(route: Route) -> None:
        answered = await route.fetch()
        await route.fulfill(response=answered, body=(await answered.text()).replace(store, SHOWN_STORE))

    for path in ("/server", "/sessions/*", "/sessions/*/branch/preview"):
        await page.route(f"**{path}", name)


async def _take(page: Page, out: Path, name: str) -> None:
    await page.mouse.move(0, 0)
    await page.evaluate("document.activeElement?.blur()")
    file = out / f"console-{name}.png"
    await page.screenshot(path=file, animations="disabled", caret="hide")
    size = file.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{file} has {size:,} bytes, more than {LARGEST:,}")
    sys.stdout.write(f"{file}  {size:,} bytes\n")


async def take_screenshots(out: Path) -> None:
    """Write ``console-NAME.png`` for each main view into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with OpenAIServer(answers=answer) as model, serve(github) as around, ClientSession() as session:
            chosen = {"CHIDORI_DB_PATH": f"{folder}/store", "CHIDORI_MODEL": "gpt-4.1-mini"}
            async with server_process(ROOT / "agents" / "webhook.ts", environ_of(model, around) | chosen) as server:
                scene = Scene(Client(server.url, session), model, around)
                await _deliveries(scene)
                async with page_at(f"{server.url}/console/") as page:
                    await _name_store(page, f"{folder}/store")
                    await page.reload()
                    await _pictures(page, scene, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    asyncio.run(take_screenshots(parser.parse_args().out))
