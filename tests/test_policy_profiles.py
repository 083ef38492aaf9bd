"""Profiles of a policy: they tighten, never loosen, wherever they come from and whichever life of a run it is."""

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.agent_source import load_agent
from chidori_actors.errors import ChidoriError
from chidori_actors.journal.runs import get_run
from chidori_actors.policy import Decision, Policy, Profile, strictest_profile
from chidori_actors.policy_rules import parse_policy
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.transfer import export_run, import_checkpoint
from tests.cli.console import assert_refused, chidori, environment, run_id_of
from tests.cli.pseudo_terminal import terminal
from tests.session.test_tools import agent, models, project, tool
from tests.support.agents import output_of, pause_of, records_of, runtime_in, write_agent
from tests.support.gate import gate
from tests.support.litellm_warnings import LITELLM_WARNINGS
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.services import ScriptedQuestions

pytestmark = LITELLM_WARNINGS
RUN = "test-run"
GATED = ("http", "tool:x", "tool:server__x", "exec:js", "exec:python", "exec:wasm", "env:HOME")
FREE = ("memory", "call_agent")
ASKS = "--supervised asks before http, tools, exec and env"
FETCH = agent("""
  const name = await chidori.input("Which page?");
  return chidori.tryCall(() => chidori.http(input.url + "/" + name));
""")


def rules(*given: dict[str, Any], profile: Profile | None = None, default: str = "always_allow") -> Policy:
    text = orjson.dumps({"rules": given, "default": default}).decode()
    return Policy(parse_policy(text, "P"), profile)


def policy(*given: dict[str, Any]) -> str:
    return orjson.dumps({"rules": given}).decode()


# -- deciding ----


@pytest.mark.parametrize("target", GATED)
def test_supervised_asks_before_what_is_allowed(target: str) -> None:
    for given in (Policy(None, "supervised"), rules({"target": "*", "decision": "always_allow"}, profile="supervised")):
        assert given.decide(target, {"name": "HOME"}) == Decision("ask", ASKS)


@pytest.mark.parametrize("target", FREE)
def test_supervised_and_untrusted_leave_the_rest_to_the_rules(target: str) -> None:
    profiles: tuple[Profile, ...] = ("supervised", "untrusted")
    for profile in profiles:
        assert Policy(None, profile).decide(target, {}).decision == "allow"
        denied = rules({"target": target, "decision": "never_allow"}, profile=profile)
        assert denied.decide(target, {}) == Decision("deny", "P: rules[0]")


def test_supervised_keeps_what_is_denied_or_asked_and_what_is_to_be_done_in_doubt() -> None:
    given = rules(
        {"target": "http", "decision": "never_allow", "reason": "no network"},
        {"target": "tool:x", "decision": "ask_before", "reason": "it bites"},
        {"target": "tool:y", "decision": "always_allow", "in_doubt": "ask"},
        profile="supervised",
    )
    assert given.decide("http", {}) == Decision("deny", "no network")
    assert given.decide("tool:x", {}) == Decision("ask", "it bites")
    assert given.decide("tool:y", {}) == Decision("ask", ASKS, "ask")
    assert rules(profile="supervised", default="never_allow").decide("http", {}).decision == "deny"


def test_supervised_allows_no_variable_that_needs_a_rule() -> None:
    supervised = Policy(None, "supervised")
    assert supervised.decide("env:OPENAI_API_KEY", {"name": "OPENAI_API_KEY"}).decision == "deny"
    assert supervised.decide("env:HOME", {"name": "HOME", "reveal": True}).decision == "deny"
    ruled = rules({"target": "env:HOME", "decision": "always_allow"}, profile="supervised")
    assert ruled.decide("env:HOME", {"name": "HOME", "reveal": True}) == Decision("ask", ASKS)


PROFILES: tuple[Profile | None, ...] = (None, "trusted", "supervised", "untrusted")
STRICTNESS = {None: 0, "trusted": 0, "supervised": 1, "untrusted": 2}
OUTCOMES = ("allow", "ask", "deny")


@pytest.mark.parametrize(("server", "session"), list(itertools.product(PROFILES, repeat=2)))
def test_the_stricter_of_server_and_session_wins(server: Profile | None, session: Profile | None) -> None:
    for default in ("always_allow", "ask_before", "never_allow"):
        before = rules(profile=server, default=default)
        after = before.tightened(session)
        alone = rules(profile=session, default=default)
        for target in (*GATED, *FREE):
            decided = [OUTCOMES.index(one.decide(target, {"name": "HOME"}).decision) for one in (before, alone, after)]
            assert decided[2] == max(decided)
        assert STRICTNESS[after.profile] == max(STRICTNESS[server], STRICTNESS[session])


def test_a_profile_that_nobody_knows_is_the_strictest() -> None:
    assert strictest_profile("supervised", "of-a-later-version") == "untrusted"
    assert strictest_profile(None, None) is None
    assert Policy().tightened("of-a-later-version").decide("http", {}).decision == "deny"


def test_a_decision_says_whose_profile_it_was() -> None:
    expected: tuple[tuple[Profile | None, Profile, str], ...] = (
        ("untrusted", "untrusted", "--untrusted denies http, tools, exec and env"),
        ("untrusted", "supervised", "--untrusted denies http, tools, exec and env"),
        ("supervised", "untrusted", "the session's policy_profile `untrusted` denies http, tools, exec and env"),
        (None, "supervised", "the session's policy_profile `supervised` asks before http, tools, exec and env"),
        ("supervised", "trusted", ASKS),
    )
    for server, session, reason in expected:
        assert Policy(None, server).tightened(session).decide("http", {}).reason == reason


# -- runs ----


async def run_with(runtime: Runtime, path: Path, value: Any, profile: Profile | None, **more: Any) -> RunResult:
    bundle = load_agent(path, runtime.settings.runtime_policy)
    return await runtime.run(bundle, path, orjson.dumps(value), run_id=RUN, policy_profile=profile, **more)


def answering(*answers: str) -> Attendance:
    return Attendance(questions=ScriptedQuestions(list(answers)))


async def test_the_profile_of_a_run_holds_when_another_process_goes_on_with_it_and_in_branches(tmp_path: Path) -> None:
    path = write_agent(tmp_path, FETCH)
    async with gate() as target:
        target.open("/a")
        async with runtime_in(tmp_path) as runtime:
            pause_of(await run_with(runtime, path, {"url": target.url}, "supervised"))
        async with runtime_in(tmp_path) as runtime:
            paused = pause_of(await runtime.resume(RUN, attendance=answering("a")))
            question = paused.questions[0]
            assert (question.kind, question.target, target.asked) == ("approval", "http", [])
            reason = "the session's policy_profile `supervised` asks before http, tools, exec and env"
            assert question.prompt == f"Allow `http`: {reason}?"
            result = await runtime.resume(RUN, attendance=answering("yes"))
            assert output_of(result)["value"]["status"] == 200
            assert output_of(await runtime.replay(RUN)) == output_of(result)
            branch = await runtime.branch(RUN, 1, result=b'"b"', new_id="branch")
            assert pause_of(branch).questions[0].target == "http"
            copy = await runtime.replay_as(RUN, "copy")
            assert copy.meta.policy_profile == "supervised"
            stricter = await runtime.branch(RUN, 1, result=b'"c"', new_id="stricter", policy_profile="untrusted")
            assert "`untrusted` denies" in output_of(stricter)["error"]
            # A branch of that branch has its first call from the run, which is held to less.
            again = await runtime.branch("stricter", 1, result=b'"d"', new_id="again", policy_profile="trusted")
            assert "`untrusted` denies" in output_of(again)["error"]
        assert target.asked == ["/a"]


async def test_a_stricter_profile_of_a_resume_stays_with_the_run(tmp_path: Path) -> None:
    path = write_agent(tmp_path, FETCH)
    async with runtime_in(tmp_path) as runtime:
        pause_of(await run_with(runtime, path, {"url": "http://127.0.0.1:9"}, None))
        pause_of(await runtime.resume(RUN, policy_profile="untrusted"))
        pause_of(await runtime.resume(RUN, policy_profile="trusted"))
        assert get_run(runtime.store, RUN).policy_profile == "untrusted"
        result = await runtime.resume(RUN, attendance=answering("a"))
        assert "`untrusted` denies" in output_of(result)["error"]


async def test_the_profile_goes_with_a_checkpoint(tmp_path: Path) -> None:
    path = write_agent(tmp_path, FETCH)
    async with runtime_in(tmp_path) as runtime:
        pause_of(await run_with(runtime, path, {"url": "http://127.0.0.1:9"}, "untrusted"))
        data = export_run(runtime.store, get_run(runtime.store, RUN))
    (tmp_path / "other").mkdir()
    async with runtime_in(tmp_path / "other") as runtime:
        await import_checkpoint(runtime.store, data, run_id="imported")
        result = await runtime.resume("imported", attendance=answering("a"))
        assert "`untrusted` denies" in output_of(result)["error"]
        document = orjson.loads(data)
        document["run"]["policy_profile"] = "root"
        with pytest.raises(ChidoriError, match=r"run\.policy_profile` is not one of trusted, supervised, untrusted"):
            await import_checkpoint(runtime.store, orjson.dumps(document), run_id="another")


async def test_a_placeholder_is_asked_for_once_a_name(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        agent("""
  const first = await chidori.env("PLACE");
  const again = await chidori.env("PLACE");
  const other = await chidori.tryCall(() => chidori.env("OTHER"));
  return [first === again, other.error];
"""),
    )
    async with runtime_in(tmp_path, {"PLACE": "here", "OTHER": "there"}) as runtime:
        question = pause_of(await run_with(runtime, path, {}, "supervised")).questions[0]
        assert (question.target, question.args) == ("env:PLACE", {"name": "PLACE"})
        result = await runtime.resume(RUN, attendance=answering("yes", "no"))
        assert output_of(result)[0] is True
        assert output_of(result)[1].startswith("policy: `env:OTHER` denied (not approved: the session's policy_profile")


async def test_a_tool_that_a_model_asks_for_is_gated_too(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        """return chidori.prompt("Go", { tools: ["danger"] });""",
        danger=tool("danger", "await chidori.log('it ran'); return 'done';"),
    )
    async with OpenAIServer() as server:
        server.script.append(Scripted(tool_calls=[{"name": "danger", "arguments": {"n": 1}}]))
        async with runtime_in(tmp_path, models(server)) as runtime:
            question = pause_of(await run_with(runtime, path, {}, "supervised")).questions[0]
            assert (question.target, question.args) == ("tool:danger", {"name": "danger", "kwargs": {"n": 1}})
            asked = len(server.requests)
            assert [record["function"] for record in records_of(runtime.store)] == ["prompt"]
            result = await runtime.resume(RUN, attendance=answering("yes"))
            assert isinstance(output_of(result), str)
            assert "log" in [record["function"] for record in records_of(runtime.store)]
            # One request for what the model says to the tool's result; none is made twice.
            assert len(server.requests) == asked + 1


# -- the command line ----


@pytest.mark.parametrize("command", [("run",), ("serve",), ("resume", "RUN"), ("branch", "--at", "1", "--result", "1")])
def test_the_profiles_exclude_each_other(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "agent.ts").write_text(FETCH)
    name, *rest = command
    given = (name, "agent.ts", *rest)
    two = chidori(tmp_path, *given, "--untrusted", "--supervised")
    assert_refused(two, 2, "--supervised and --untrusted exclude each other")
    three = chidori(tmp_path, *given, "--untrusted", "--supervised", "--trusted")
    assert_refused(three, 2, "--trusted, --supervised and --untrusted exclude each other")
    assert not (tmp_path / ".chidori").exists()


async def test_a_person_approves_on_a_terminal_and_with_resume(tmp_path: Path) -> None:
    (tmp_path / "agent.ts").write_text(
        agent("""return [await chidori.tryCall(() => chidori.env("PLACE")), await chidori.env("PLACE")];""")
    )
    with terminal(tmp_path, "run", "agent.ts", "--supervised", PLACE="here") as shown:
        shown.read_until(f"Allow `env:PLACE`: {ASKS}?")
        shown.type("yes\n")
        assert shown.wait() == 0
    env = environment(tmp_path, PLACE="here")
    paused = chidori(tmp_path, "run", "agent.ts", "--supervised", env=env)
    assert paused.returncode == 3
    done = chidori(tmp_path, "resume", "agent.ts", run_id_of(paused), "--approve", env=env)
    assert done.returncode == 0, done.stderr


def test_what_the_session_asked_for_stays_when_it_is_resumed_without_the_option(tmp_path: Path) -> None:
    (tmp_path / "agent.ts").write_text(FETCH)
    paused = chidori(tmp_path, "run", "agent.ts", "--untrusted", "-i", "url=http://127.0.0.1:9")
    done = chidori(tmp_path, "resume", "agent.ts", run_id_of(paused), "--trusted", "--answer", "a")
    assert "policy: `http` denied (the session's policy_profile `untrusted` denies" in done.stdout, done.stderr
