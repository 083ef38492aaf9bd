"""Values that ``chidori.env`` stands for are nowhere: not in the store, not in a VM, not in what is told."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.transfer import export_run, import_checkpoint
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    calls_of,
    failure_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.echoing import echoing
from tests.support.secrets import leaks_in, leaks_in_store, vms_in_store
from tests.support.services import ScriptedQuestions

RUN = "test-run"
TOKEN = "tok/en+s3cr3t=Value&more~0123"
WORDS = 'quo"ted\\w\u00f6rd <s3cr3t> \U0001f600 / end'
SECRETS = (TOKEN, WORDS)
ENVIRON = {**LOCAL, "TOKEN": TOKEN, "WORDS": WORDS}
EVERY_WAY = """
const ways = (input: any, token: string, words: string) => (place: string) => [
  [`${input.url}/${place}`, { headers: { authorization: `Bearer ${token}`, "x-api-key": token } }],
  [`${input.url}/${place}`, { auth: { user: "me", password: token } }],
  [`${input.url}/${place}`, { query: { token, words } }],
  [`${input.url}/${place}`, { method: "POST", body: { token, words } }],
  [`${input.url}/${place}`, { method: "POST", body: { token, words },
    headers: { "content-type": "application/x-www-form-urlencoded" } }],
  [`${input.url}/${place}`, { method: "POST", body: `${token} ${words}` }],
];
"""
REVEALING = orjson.dumps({"rules": [{"target": "env:TOKEN", "decision": "always_allow"}]}).decode()


def agent(body: str, before: str = "") -> str:
    return f"""{before}export async function agent(input: any, chidori: any) {{
    const [token, words] = [await chidori.env("TOKEN"), await chidori.env("WORDS")];
    {body} }}"""


def attended(observer: RecordingObserver, *answers: str) -> Attendance:
    return Attendance(observer, questions=ScriptedQuestions(list(answers)))


def assert_clean(folder: Path, observer: RecordingObserver, *told: object) -> None:
    assert leaks_in(repr((observer.seen, told)), *SECRETS) == []
    assert leaks_in_store(folder / "store", *SECRETS) == []


async def test_what_looks_for_secrets_finds_one_in_records_memory_and_vms(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: any) {
            const plain = await chidori.env("TOKEN", { reveal: true });
            const wide = plain + "\u20ac";
            await chidori.memory("set", "k", plain);
            await chidori.log("x".repeat(5000) + plain);
            await chidori.input("wait");
            return [plain, wide]; }""",
    )
    async with runtime_in(tmp_path, {**ENVIRON, "CHIDORI_POLICY": REVEALING}) as runtime:
        pause_of(await start(runtime, path))
    found = leaks_in_store(tmp_path / "store", TOKEN)
    for place in ("memory ", "blobs ", "VM images "):
        assert any(leak.startswith(place) and leak.endswith("as text") for leak in found), (place, found)
    assert any(leak.startswith("VM images ") and leak.endswith("UTF-16LE of text") for leak in found), found
    assert leaks_in_store(tmp_path / "store", WORDS) == []


@pytest.mark.parametrize("place", ["text", "json", "encoded", "headers", "error", "redirect", "broken"])
async def test_a_server_that_gives_values_back_puts_them_nowhere(tmp_path: Path, place: str) -> None:
    path = write_agent(
        tmp_path,
        agent(
            """const seen = [];
            for (const [url, options] of ways(input, token, words)(input.place)) {
              const answer = await chidori.tryCall(() => chidori.http(url, options));
              seen.push(answer);
              console.log(JSON.stringify(answer));
            }
            await chidori.memory("set", "answers", seen);
            await chidori.input("wait");
            return seen;""",
            EVERY_WAY,
        ),
    )
    observer = RecordingObserver()
    async with echoing(*SECRETS) as (echo, server), runtime_in(tmp_path, ENVIRON) as runtime:
        given = {"url": server.url, "place": place}
        pause_of(await within(60, start(runtime, path, given, attendance=attended(observer))))
        assert echo.seen == set(SECRETS)
        told = output_of(await runtime.resume(RUN, attendance=attended(observer, "on")))
    assert vms_in_store(tmp_path / "store") > 0
    assert "chidori-env-TOKEN-" in repr(told)
    assert_clean(tmp_path, observer, told)


async def test_a_refused_redirect_does_not_tell_where_it_led(tmp_path: Path) -> None:
    path = write_agent(tmp_path, agent("return chidori.http(`${input.url}/redirect`, { headers: { a: token } });"))
    observer = RecordingObserver()
    async with echoing(*SECRETS) as (_, server):
        rules = [
            {"target": "http", "decision": "never_allow", "match_args": {"url_prefix": f"{server.url}/refused"}},
        ]
        environ = {**ENVIRON, "CHIDORI_POLICY": orjson.dumps({"rules": rules}).decode()}
        async with runtime_in(tmp_path, environ) as runtime:
            error = failure_of(await start(runtime, path, {"url": server.url}, attendance=attended(observer))).error
    assert "was redirected to" in error["message"]
    assert "chidori-env-TOKEN-" in error["message"]
    assert_clean(tmp_path, observer, error)


async def test_a_placeholder_goes_anywhere_and_its_value_nowhere(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    tool = "export const tool = { name: 'use', description: 'd', parameters: { type: 'object' } };\n"
    body = "const r = await chidori.http(args.url, { headers: { a: args.token } }); return [args, r.body];"
    (tmp_path / "tools" / "use.ts").write_text(
        f"{tool}export async function run(args: any, chidori: any) {{ {body} }}", encoding="utf-8"
    )
    write_agent(tmp_path, f"export async function agent(args: any, chidori: any) {{ {body} }}", "child.ts")
    path = write_agent(
        tmp_path,
        agent(
            """const given = { url: `${input.url}/text`, token };
            const branches = await chidori.parallel([token, words].map((value) => async () => {
              const answer = await chidori.http(`${input.url}/json`, { method: "POST", body: value });
              return [await chidori.input("in the branch?"), value, answer];
            }));
            const out = [branches, await chidori.tool("use", given), await chidori.callAgent("./child.ts", given)];
            out.push(await chidori.prompt(`say ${token}`));
            out.push(await chidori.template("{{ t }} {{ w }}", { t: token, w: words }));
            await chidori.memory("set", token, { words });
            await chidori.checkpoint(`at ${token}`);
            await chidori.log(`log ${words}`);
            console.error(token, words);
            const failed = await chidori.tryCall(async () => { throw new Error(`failed with ${token}`); });
            throw Object.assign(new Error(`ends with ${token} ${words}`), { out, failed });""",
        ),
    )
    observer = RecordingObserver()
    async with echoing(*SECRETS) as (echo, server):
        async with runtime_in(tmp_path, ENVIRON) as runtime:
            pause_of(await within(60, start(runtime, path, {"url": server.url}, attendance=attended(observer))))
        assert vms_in_store(tmp_path / "store") > 0
        assert_clean(tmp_path, observer)
        async with runtime_in(tmp_path, ENVIRON) as runtime:
            result = await within(60, runtime.resume(RUN, attendance=attended(observer, "one", "two")))
            error = failure_of(result).error
            assert error["message"].startswith("ends with chidori-env-TOKEN-")
            told: list[Any] = [error, records_of(runtime.store), await everything_else(runtime, observer)]
        assert echo.seen == set(SECRETS)
    assert {"tool", "call_agent", "parallel", "memory", "template"} <= {each["function"] for each in told[1]}
    assert_clean(tmp_path, observer, *told)


async def everything_else(runtime: Runtime, observer: RecordingObserver) -> object:
    """Exported, imported, replayed, and branched from its history."""
    exported = export_run(runtime.store, get_run(runtime.store, RUN))
    await import_checkpoint(runtime.store, exported, run_id="imported")
    replayed = await runtime.replay(RUN, attendance=attended(observer))
    at = next(call.seq for call in calls_of(runtime.store) if call.function == "template")
    branch = await runtime.branch(RUN, at, result=b'"other"', new_id="branch", attendance=attended(observer))
    return exported, replayed, failure_of(branch)


@pytest.mark.parametrize("name", ["PATH", "HOME"])
async def test_every_variable_is_a_placeholder(tmp_path: Path, name: str) -> None:
    path = write_agent(
        tmp_path, f"export async function agent(input: any, chidori: any) {{ return chidori.env('{name}'); }}"
    )
    async with runtime_in(tmp_path, {**LOCAL, name: "/some/where:/else"}) as runtime:
        assert output_of(await start(runtime, path)).startswith(f"chidori-env-{name}-")
    assert leaks_in_store(tmp_path / "store", "/some/where:/else") == []


async def test_a_revealed_value_is_the_agents_and_is_still_taken_out_of_answers(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: any) {
            const plain = await chidori.env("TOKEN", { reveal: true });
            const token = await chidori.env("TOKEN");
            const send = { headers: { a: token } };
            const answers = [await chidori.http(`${input.url}/text`, send)];
            answers.push(await chidori.http(`${input.url}/error`, send));
            await chidori.input("wait");
            answers.push(await chidori.http(`${input.url}/json`));
            return { length: plain.length, answers }; }""",
    )
    async with echoing(*SECRETS) as (_, server):
        environ = {**ENVIRON, "CHIDORI_POLICY": REVEALING}
        async with runtime_in(tmp_path, environ) as runtime:
            pause_of(await start(runtime, path, {"url": server.url}))
        async with runtime_in(tmp_path, environ) as runtime:
            output = output_of(await runtime.resume(RUN, attendance=attended(RecordingObserver(), "on")))
            records = records_of(runtime.store)
    assert output["length"] == len(TOKEN)
    assert leaks_in(orjson.dumps([output, records]), TOKEN) == []
    # A VM that was given the value has it, and so has its image.
    assert {leak.partition(" ")[0] for leak in leaks_in_store(tmp_path / "store", TOKEN)} == {"VM"}


async def test_a_run_without_a_rule_does_not_reveal(tmp_path: Path) -> None:
    path = write_agent(tmp_path, agent("return chidori.env('TOKEN', { reveal: true });"))
    observer = RecordingObserver()
    async with runtime_in(tmp_path, ENVIRON) as runtime:
        error = failure_of(await start(runtime, path, attendance=attended(observer))).error
    assert "revealing a value needs a rule with target env:TOKEN" in error["message"]
    assert_clean(tmp_path, observer, error)
