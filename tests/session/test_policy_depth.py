"""Policy decides every call in the same way, however deep it is made and in whichever language."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from tests.support.agents import LOCAL, failure_of, output_of, pause_of, records_of, runtime_in, start, write_agent
from tests.support.http_server import serve
from tests.support.killing import world
from tests.support.services import ScriptedQuestions

RUN = "test-run"

TARGETS: Mapping[str, tuple[dict[str, Any], str, str, dict[str, Any]]] = {
    # The rule, the call in TypeScript and in Starlark, and args that the record must have.
    "http": (
        {"target": "http", "match_args": {"url": "/gated", "body": {"deep": {"x": 1}}}},
        'chidori.http(input.url + "/gated", { method: "POST", body: { y: 0, deep: { x: 1, z: [2] } } })',
        'http("POST", url + "/gated", json = {"y": 0, "deep": {"x": 1, "z": [2]}})',
        {"method": "POST"},
    ),
    "tool:leaf": (
        {"target": "tool:leaf"},
        'chidori.tool("leaf", { n: 1 })',
        'tool("leaf", n = 1)',
        {"name": "leaf", "kwargs": {"n": 1}},
    ),
    "env:PLACE": ({"target": "env:PL*"}, 'chidori.env("PLACE")', 'env("PLACE")', {"name": "PLACE"}),
    "call_agent": (
        {"target": "call_agent", "match_args": {"path": "leaf"}},
        'chidori.callAgent("leaf.ts", { n: 1 })',
        'call_agent("leaf.ts", n = 1)',
        {"path": "leaf.ts", "input": {"n": 1}},
    ),
    "memory": (
        {"target": "memory", "match_args": {"key": "k"}},
        'chidori.memory("set", "k", { a: 1 })',
        'memory("set", "k", {"a": 1})',
        {"action": "set", "key": "k"},
    ),
}
PLACES: Mapping[str, str] = {
    # Where the call is made, and the path of its actor; the call is the second one there.
    "root": "2",
    "sub-agent": "1/2",
    "tool": "1/2",
    "branch": "1/b0/2",
    "tool of a sub-agent of a branch": "1/b0/1/1/2",
}


def ts(body: str) -> str:
    return f"export async function agent(input: any, chidori: any) {{\n{body}\n}}"


def ts_tool(name: str, body: str) -> str:
    head = f'export const tool = {{ name: "{name}", description: "About {name}.", parameters: {{ type: "object" }} }};'
    return f"{head}\nexport async function run(input: any, chidori: any) {{\n{body}\n}}"


def ts_files(place: str, call: str) -> dict[str, str]:
    probe = f"""
  await chidori.http(input.url + "/before", {{ method: "POST" }});
  const first = await chidori.tryCall(() => {call});
  const again = await chidori.tryCall(() => {call});
  return [first.error ?? null, again.error ?? null];"""
    to_child, to_tool = 'return chidori.callAgent("child.ts", input);', 'return chidori.tool("probe", input);'
    return {
        "root": {"agent.ts": ts(probe)},
        "sub-agent": {"agent.ts": ts(to_child), "child.ts": ts(probe)},
        "tool": {"agent.ts": ts(to_tool), "tools/probe.ts": ts_tool("probe", probe)},
        "branch": {"agent.ts": ts(f"return (await chidori.parallel([async () => {{{probe}\n}}]))[0];")},
        "tool of a sub-agent of a branch": {
            "agent.ts": ts('return (await chidori.parallel([() => chidori.callAgent("child.ts", input)]))[0];'),
            "child.ts": ts(to_tool),
            "tools/probe.ts": ts_tool("probe", probe),
        },
    }[place]


def star_files(place: str, call: str) -> dict[str, str]:
    body = f"""
    http("POST", url + "/before")
    first = try_call(lambda: {call})
    again = try_call(lambda: {call})
    return [first["error"], again["error"]]
"""
    probe = f"def agent(url):{body}"
    named = f'def probe(url: str):\n    """Probes."""{body}'
    to_child, to_tool = 'call_agent("child.star", url = url)', 'tool("probe", url = url)'
    return {
        "root": {"agent.star": probe},
        "sub-agent": {"agent.star": f"def agent(url): return {to_child}\n", "child.star": probe},
        "tool": {"agent.star": f"def agent(url): return {to_tool}\n", "tools/probe.star": named},
        "branch": {"agent.star": f"{named}\ndef agent(url): return parallel([lambda: probe(url)])[0]\n"},
        "tool of a sub-agent of a branch": {
            "agent.star": f"def agent(url): return parallel([lambda: {to_child}])[0]\n",
            "child.star": f"def agent(url): return {to_tool}\n",
            "tools/probe.star": named,
        },
    }[place]


def write(folder: Path, files: Mapping[str, str]) -> Path:
    leaves = {"leaf.ts": ts("return input.n;"), "tools/leaf.ts": ts_tool("leaf", "return 1;")}
    for name, source in {**leaves, **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_agent(folder, source, name)
    return folder / next(iter(files))


def policed(*rules: dict[str, Any], default: str = "always_allow") -> dict[str, str]:
    document = {"rules": rules, "default": default}
    return {**LOCAL, "PLACE": "here", "CHIDORI_POLICY": orjson.dumps(document).decode()}


def answering(*answers: str) -> Attendance:
    return Attendance(questions=ScriptedQuestions(list(answers)))


def gated(runtime: Runtime, path: str) -> dict[str, Any]:
    [record] = [record for record in records_of(runtime.store) if record["path"] == path]
    return record


@pytest.mark.parametrize("language", ["typescript", "starlark"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", TARGETS)
async def test_a_call_is_denied_or_approved_where_it_is_made(
    target: str, place: str, language: str, tmp_path: Path
) -> None:
    rule, in_typescript, in_starlark, args = TARGETS[target]
    files = ts_files(place, in_typescript) if language == "typescript" else star_files(place, in_starlark)
    path, at = write(tmp_path, files), PLACES[place]
    denied = f"policy: `{target}` denied (not here)"
    async with world() as (made, server):
        value = {"url": server.url}
        never = policed({**rule, "decision": "never_allow", "reason": "not here"})
        async with runtime_in(tmp_path, never) as runtime:
            result = await start(runtime, path, value, run_id="denied")
            assert output_of(result) == [denied, denied]
            [record] = [record for record in records_of(runtime.store, "denied") if record["path"] == at]
            assert (record["error"], record["result"]) == (denied, None)
            assert output_of(await runtime.replay("denied")) == [denied, denied]
        assert made.requests == {"/before": 1}
        made.requests.clear()

        asks = policed({**rule, "decision": "ask_before", "reason": "look first"})
        async with runtime_in(tmp_path, asks) as runtime:
            paused = pause_of(await start(runtime, path, value))
            [question] = paused.questions
            assert (paused.status, question.kind, question.path) == ("awaitingapproval", "approval", at)
            assert (question.target, question.reason) == (target, "look first")
            assert question.args is not None
            assert args.items() <= question.args.items()
        assert made.requests == {"/before": 1}
        async with runtime_in(tmp_path, asks) as runtime:
            result = await runtime.resume(RUN, attendance=answering("yes"))
            # The second call is the same one: nobody is asked again.
            assert output_of(result) == [None, None]
            assert gated(runtime, at)["args"] == question.args
            assert output_of(await runtime.replay(RUN)) == [None, None]
        assert made.requests == {"/before": 1, **({"/gated": 2} if target == "http" else {})}


@pytest.mark.parametrize("place", PLACES)
async def test_a_refusal_is_for_every_such_call_of_the_run_and_can_be_caught(place: str, tmp_path: Path) -> None:
    rule, call, _, _ = TARGETS["http"]
    path = write(tmp_path, ts_files(place, call))
    async with world() as (made, server), runtime_in(tmp_path, policed({**rule, "decision": "ask_before"})) as runtime:
        pause_of(await start(runtime, path, {"url": server.url}))
        result = await runtime.resume(RUN, attendance=answering("no"))
        assert output_of(result) == ["policy: `http` denied (not approved: CHIDORI_POLICY: rules[0])"] * 2
        assert made.requests == {"/before": 1}
        assert output_of(await runtime.replay(RUN)) == output_of(result)


async def test_a_denial_that_nobody_catches_ends_the_run_with_its_text(tmp_path: Path) -> None:
    path = write(tmp_path, {"agent.ts": ts("return chidori.callAgent('child.ts');"), "child.ts": ts(FETCH)})
    async with runtime_in(tmp_path, policed({"target": "http", "decision": "never_allow"})) as runtime:
        message = failure_of(await start(runtime, path)).error["message"]
        assert "policy: `http` denied (CHIDORI_POLICY: rules[0])" in message


FETCH = "return chidori.http('http://127.0.0.1:9/');"


@pytest.mark.parametrize("rules", [({"target": "*", "decision": "never_allow"},), ()])
async def test_a_star_or_the_default_denies_every_target(rules: Sequence[dict[str, Any]], tmp_path: Path) -> None:
    calls = ", ".join(f"() => {call}" for _, call, _, _ in TARGETS.values())
    body = f"""
  const errors = [];
  for (const call of [{calls}]) errors.push((await chidori.tryCall(call)).error);
  return errors;"""
    path = write(tmp_path, {"agent.ts": ts(body)})
    async with world() as (made, server), runtime_in(tmp_path, policed(*rules, default="never_allow")) as runtime:
        errors = output_of(await start(runtime, path, {"url": server.url}))
        assert [error.partition(" denied")[0] for error in errors] == [f"policy: `{target}`" for target in TARGETS]
        assert made.requests == {}


async def test_a_denied_container_starts_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    path = write(tmp_path, ts_files("tool of a sub-agent of a branch", TARGETS["http"][1]))
    rules = ({"target": "tool:other", "decision": "always_allow"}, {"target": "tool:*", "decision": "never_allow"})
    async with world() as (made, server), runtime_in(tmp_path, policed(*rules)) as runtime:
        message = failure_of(await start(runtime, path, {"url": server.url})).error["message"]
        assert "policy: `tool:probe` denied (CHIDORI_POLICY: rules[1])" in message
        assert made.requests == {}


# -- what an approval covers -----------------------------------------------------------------------------------------


def post(body: str, path: str = "/gated") -> str:
    return f'chidori.http(input.url + "{path}", {{ method: "POST", body: {body} }})'


GATE_HTTP = {"target": "http", "decision": "ask_before", "match_args": {"url": "/gated"}}


async def test_an_approval_covers_these_args_however_they_are_ordered_and_no_others(tmp_path: Path) -> None:
    body = f"""
  await {post("{ a: 1, b: { c: 2, d: 3 } }")};
  await {post("{ b: { d: 3, c: 2 }, a: 1 }")};
  await chidori.parallel([() => {post("{ a: 1, b: { d: 3, c: 2 } }")}]);
  await {post("{ a: 1, b: { c: 2, d: 4 } }")};
  return "done";"""
    path = write(tmp_path, {"agent.ts": ts(body)})
    async with world() as (made, server), runtime_in(tmp_path, policed(GATE_HTTP)) as runtime:
        first = pause_of(await start(runtime, path, {"url": server.url})).questions[0]
        assert (first.path, made.requests.total()) == ("1", 0)
        second = pause_of(await runtime.resume(RUN, attendance=answering("yes"))).questions[0]
        assert (second.path, made.requests.total()) == ("4", 3)
        assert second.args is not None
        assert second.args["body"] == {"a": 1, "b": {"c": 2, "d": 4}}
        assert output_of(await runtime.resume(RUN, attendance=answering("yes"))) == "done"
        assert made.requests == {"/gated": 4}


async def test_all_covers_the_target_whatever_its_args_but_no_other_target_and_no_other_run(tmp_path: Path) -> None:
    body = f"""
  await {post("1")};
  await chidori.callAgent("child.ts", input);
  await chidori.memory("set", "k", 1);
  return "done";"""
    path = write(tmp_path, {"agent.ts": ts(body), "child.ts": ts(f"return (await {post('2')}).status;")})
    rules = (GATE_HTTP, {"target": "memory", "decision": "ask_before"})
    async with world() as (made, server), runtime_in(tmp_path, policed(*rules)) as runtime:
        value = {"url": server.url}
        pause_of(await start(runtime, path, value))
        memory = pause_of(await runtime.resume(RUN, attendance=answering("all"))).questions[0]
        assert (memory.target, made.requests) == ("memory", {"/gated": 2})
        assert output_of(await runtime.resume(RUN, attendance=answering("all"))) == "done"
        other = pause_of(await start(runtime, path, value, run_id="other"))
        assert (other.questions[0].target, made.requests) == ("http", {"/gated": 2})
        branch = await runtime.branch(RUN, 1, result=b'{"status": 200, "headers": {}, "body": 1}', new_id="branch")
        assert (pause_of(branch).questions[0].path, made.requests) == ("2/1", {"/gated": 2})


async def test_branches_that_ask_for_the_same_at_once_need_one_answer(tmp_path: Path) -> None:
    body = f"""
  const replies = await chidori.parallel([() => {post("1")}, () => {post("1")}, () => {post("2")}]);
  return replies.length;"""
    path = write(tmp_path, {"agent.ts": ts(body)})
    async with world() as (made, server), runtime_in(tmp_path, policed(GATE_HTTP)) as runtime:
        assert len(pause_of(await start(runtime, path, {"url": server.url})).questions) == 3
        answers = ScriptedQuestions(["yes", "yes"])
        assert output_of(await runtime.resume(RUN, attendance=Attendance(questions=answers))) == 3
        assert made.requests == {"/gated": 3}


async def test_all_covers_where_a_request_is_redirected_to(tmp_path: Path) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/gated":
            raise web.HTTPFound("/to")
        return web.json_response("there")

    path = write(tmp_path, {"agent.ts": ts("return (await chidori.http(input.url + '/gated')).body;")})
    asks = policed({"target": "http", "decision": "ask_before"})
    for answer, requests in (("yes", ["/gated"]), ("all", ["/gated", "/to"])):
        async with serve(handle) as around, runtime_in(tmp_path, asks) as runtime:
            pause_of(await start(runtime, path, {"url": around.url}, run_id=answer))
            result = await runtime.resume(answer, attendance=answering(answer))
            if answer == "all":
                assert output_of(result) == "there"
            else:
                assert "policy: `http` requires approval" in failure_of(result).error["message"]
            assert [request.path for request in around.received] == requests


async def test_a_rule_s_first_match_wins_at_depth_and_a_prefix_is_anchored(tmp_path: Path) -> None:
    body = """
  const paths = ["/v1/a", "/v10/a", "/v1/../admin", "/v1?x=1", "/v1/a/secret"];
  const errors = [];
  for (const path of paths) errors.push((await chidori.tryCall(() => chidori.http(input.url + path))).error ?? null);
  return errors;"""
    path = write(tmp_path, {"agent.ts": ts("return chidori.callAgent('child.ts', input);"), "child.ts": ts(body)})
    async with world() as (made, server):
        rules = (
            {"target": "http", "decision": "never_allow", "match_args": {"url": "/secret"}, "reason": "secret"},
            {"target": "http", "decision": "always_allow", "match_args": {"url_prefix": f"{server.url}/v1"}},
            {"target": "call_agent", "decision": "always_allow", "match_args": {"input": {"url": server.url}}},
        )
        async with runtime_in(tmp_path, policed(*rules, default="never_allow")) as runtime:
            default = "policy: `http` denied (CHIDORI_POLICY: the default)"
            assert output_of(await start(runtime, path, {"url": server.url})) == [
                None,
                default,
                default,
                None,
                "policy: `http` denied (secret)",
            ]
        assert set(made.requests) == {"/v1/a", "/v1"}


async def test_what_was_approved_before_the_policy_was_lifted_or_tightened(tmp_path: Path) -> None:
    """An approval opens what is asked for; it does not open what is denied now."""
    path = write(tmp_path, {"agent.ts": ts(f"await {post('1')}; await chidori.input('Go on?'); return {post('1')};")})
    async with world() as (made, server):
        async with runtime_in(tmp_path, policed(GATE_HTTP)) as runtime:
            pause_of(await start(runtime, path, {"url": server.url}))
            pause_of(await runtime.resume(RUN, attendance=answering("yes")))
        async with runtime_in(tmp_path, policed({"target": "http", "decision": "never_allow"})) as runtime:
            failed = failure_of(await runtime.resume(RUN, attendance=answering("go")))
            assert "policy: `http` denied" in failed.error["message"]
        assert made.requests == {"/gated": 1}
        async with runtime_in(tmp_path, policed(GATE_HTTP)) as runtime:
            assert output_of(await runtime.resume(RUN))["status"] == 200
        assert made.requests == {"/gated": 2}


async def test_a_replay_asks_nobody_and_needs_no_policy(tmp_path: Path) -> None:
    path = write(tmp_path, {"agent.ts": ts(f"return (await {post('1')}).status;")})
    async with world() as (made, server):
        async with runtime_in(tmp_path, policed(GATE_HTTP)) as runtime:
            pause_of(await start(runtime, path, {"url": server.url}))
            assert output_of(await runtime.resume(RUN, attendance=answering("yes"))) == 200
        async with runtime_in(tmp_path, policed({"target": "*", "decision": "never_allow"})) as runtime:
            assert output_of(await runtime.replay(RUN)) == 200
            assert output_of(await runtime.replay_as(RUN, "copy")) == 200
        assert made.requests == {"/gated": 1}
