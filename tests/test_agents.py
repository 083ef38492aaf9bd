"""Every example agent, run by the console command against real servers."""

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.support.examples import ROOT, Examples, asking
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer

DOCUMENT = "agents/data/declaration.txt"
AGENTS = sorted(
    path.relative_to(ROOT).as_posix() for ending in ("ts", "star") for path in (ROOT / "agents").rglob(f"*.{ending}")
)
LONGEST_S = 90


@pytest.fixture
def chidori(tmp_path: Path) -> Examples:
    return Examples(tmp_path / "store")


@pytest.mark.parametrize("agent", AGENTS)
async def test_the_agent_or_tool_passes_the_check(agent: str, chidori: Examples) -> None:
    checked = await chidori("check", agent)

    assert (checked.code, checked.stdout) == (0, f"OK: {agent}\n".encode())


async def test_hello_greets(chidori: Examples) -> None:
    assert (await chidori("run", "agents/hello.ts", "-i", "name=Ada")).output == {"greeting": "Hello, Ada!"}
    assert (await chidori("run", "agents/hello.ts")).output == {"greeting": "Hello, world!"}


async def test_summarizer_overlaps_its_parts_and_its_replay_asks_no_model(chidori: Examples) -> None:
    console_script = str(Path(sys.executable).with_name("chidori"))
    async with OpenAIServer(delay_ms=500) as server:
        finished = await chidori(
            "run",
            "agents/summarizer.ts",
            "--input",
            f"document=@{DOCUMENT}",
            script=console_script,
            **asking(server),
        )
        summary = "answer(Summarize in three bullets:\n\nanswer(Note)#1"
        assert finished.output == {"summary": summary, "parts": 3}
        assert server.chat_requests == len(server.prompts) == 4
        assert server.max_in_flight == 3
        last = server.requests[-1]
        assert last["authorization"] == "Bearer test-key"
        for part in (1, 2, 3):
            assert f"answer(Note the main points of part {part} of 3 in t)#1" in last["body"]["messages"][0]["content"]

        replayed = await chidori("replay", finished.run_id, **asking(server))
        assert replayed.stdout == finished.stdout
        assert server.chat_requests == 4


async def test_summarizer_reads_a_short_document_at_once(chidori: Examples) -> None:
    finished = await chidori(
        "run", "agents/summarizer.ts", "-i", "document=A short note.", CHIDORI_TEST_LLM_RESPONSE="Short."
    )

    assert finished.output == {"summary": "Short.", "parts": 1}


async def test_summarizer_loses_nothing_of_a_paragraph_without_end(chidori: Examples) -> None:
    words = [f"word{number}" for number in range(1500)]

    finished = await chidori(
        "run",
        "agents/summarizer.ts",
        "--stream",
        "-i",
        f"document={' '.join(words)}",
        CHIDORI_TEST_LLM_RESPONSE="Noted.",
    )

    drafts = [record["args"] for record in finished.records("prompt") if record["args"]["type"] == "draft"]
    texts = sorted((args["text"] for args in drafts), key=lambda text: int(text.split("part ")[1].split()[0]))
    assert len(texts) > 1
    assert [word for text in texts for word in text.split("\n\n", 1)[1].split()] == words


async def test_summarizer_says_that_it_was_given_no_document(chidori: Examples) -> None:
    finished = await chidori("run", "agents/summarizer.ts")

    assert finished.code == 1
    assert "there is no document: give one with --input document=@FILE" in finished.stderr
    assert "Traceback" not in finished.stderr


async def test_input_pause_takes_answers_from_a_pipe_and_defaults_at_its_end(chidori: Examples) -> None:
    run = ("run", "agents/input_pause.ts", "-i", "request=Delete it")

    assert (await chidori(*run)).output == {"approved": False}
    assert (await chidori(*run, stdin="no\n")).output == {"approved": False}
    assert (await chidori(*run, stdin="yes\nAda\n")).output == {"approved": True, "approver": "Ada"}


async def test_input_pause_stops_at_a_question_without_an_answer_and_is_resumed(chidori: Examples) -> None:
    paused = await chidori("run", "agents/input_pause.ts", "-i", "request=Delete it", stdin="yes\n")
    assert (paused.code, paused.stdout) == (3, b"")
    assert f"chidori resume agents/input_pause.ts {paused.run_id}" in paused.stderr

    resumed = await chidori("resume", "agents/input_pause.ts", paused.run_id, "--answer", "Grace")

    assert resumed.output == {"approved": True, "approver": "Grace"}


async def test_http_post_sends_the_token_that_no_record_holds(chidori: Examples) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({"answers": 42} if request.method == "GET" else {"count": 1})

    async with serve(handler) as server:
        finished = await chidori(
            "run",
            "agents/http_post.ts",
            "-i",
            f"source={server.url}/stats",
            "-i",
            f"target={server.url}/count",
            CHIDORI_HTTP_ALLOW_HOSTS="127.0.0.1",
            WEBHOOK_TOKEN="token-of-the-test",
        )
        exported = await chidori("export", finished.run_id)

    assert finished.output == {"status": 200, "answer": {"count": 1}}
    fetched, posted = server.received
    assert (fetched.method, fetched.path) == ("GET", "/stats")
    assert (posted.method, posted.path) == ("POST", "/count")
    assert orjson.loads(posted.body) == {"source": f"{server.url}/stats", "found": {"answers": 42}}
    assert posted.headers["authorization"] == "Bearer token-of-the-test"
    assert posted.headers["idempotency-key"].startswith(f"{finished.run_id}:")
    assert exported.code == 0
    assert b"WEBHOOK_TOKEN" in exported.stdout
    assert b"token-of-the-test" not in exported.stdout


async def test_memory_counts_across_runs(chidori: Examples) -> None:
    assert (await chidori("run", "agents/memory.ts", "-i", "name=Ada")).output["visits"] == 1
    assert (await chidori("run", "agents/memory.ts", "-i", "name=Bob")).output["visits"] == 1

    third = await chidori("run", "agents/memory.ts", "-i", "name=Ada")

    assert third.output == {"name": "Ada", "visits": 2, "known": ["Ada", "Bob"]}


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        (2, {"ok": True, "attempts": 3, "body": "well"}),
        (3, {"ok": False, "attempts": 3, "error": "URL answered 503"}),
    ],
)
async def test_retry_goes_on_until_it_succeeds_or_gives_up(
    failures: int, expected: dict[str, Any], chidori: Examples
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if len(server.received) <= failures else web.Response(text="well")

    async with serve(handler) as server:
        url = f"{server.url}/unreliable"
        finished = await chidori("run", "agents/retry.ts", "-i", f"url={url}", CHIDORI_HTTP_ALLOW_HOSTS="127.0.0.1")

    output = finished.output
    if "error" in output:
        output["error"] = output["error"].replace(url, "URL")
    assert output == expected
    assert len(server.received) == 3


async def test_sandbox_runs_what_it_is_given_and_tells_what_went_wrong(chidori: Examples) -> None:
    fine = await chidori("run", "agents/sandbox.ts", CHIDORI_POLICY_FILE="agents/policies/sandbox.json")
    assert fine.output == {
        "js": {"value": [1, 4, 9]},
        "python": {"value": 2},
        "wasm": {"value": {"returns": [3], "fuel_remaining": 999_999_996}},
    }

    hostile = {"js": "while (true);", "python": "\nopen('/etc/passwd')", "wasm": '(module (func (export "add")))'}
    told = (await chidori("run", "agents/sandbox.ts", "-i", orjson.dumps(hostile).decode())).output
    assert told["js"]["bound"] == "timeoutMs"
    assert told["python"] == {
        "error": "execPython: PermissionError: Permission denied: '/etc/passwd' (line 2)",
        "line": 2,
    }
    assert told["wasm"] == {"error": "execWasm: `add` takes (), and 2 arguments were given"}


async def test_template_fills_its_prompt(chidori: Examples) -> None:
    finished = await chidori(
        "run",
        "agents/template.ts",
        "--stream",
        "-i",
        "document=\n  Journals endure.\n",
        "-i",
        "audience=a child",
        CHIDORI_TEST_LLM_RESPONSE="They last.",
    )

    assert finished.events()[-1]["output"] == {"summary": "They last."}
    [prompt] = finished.records("prompt")
    assert prompt["args"]["text"] == (
        "Summarize the document below for a child, in 3 bullets of at most twenty words.\n"
        "Keep to what the document says.\n\n<document>\nJournals endure.\n</document>"
    )


async def test_timeout_race_takes_an_answer_that_comes_in_time(chidori: Examples) -> None:
    finished = await chidori(
        "run", "agents/timeout_race.ts", "-i", "question=Why?", CHIDORI_TEST_LLM_RESPONSE="Because."
    )

    assert finished.output == {"timedOut": False, "answer": "Because."}


async def test_timeout_race_drops_a_prompt_that_is_too_slow(chidori: Examples) -> None:
    async with OpenAIServer(delay_ms=LONGEST_S * 1000) as server:
        finished = await chidori(
            "run",
            "agents/timeout_race.ts",
            "--stream",
            "-i",
            "question=Why?",
            "-i",
            "timeoutMs=50",
            **asking(server),
        )

    assert finished.events()[-1]["output"] == {"timedOut": True, "answer": None}
    [prompt] = finished.records("prompt")
    assert (prompt["result"], prompt["error"]) == (None, "cancelled")
