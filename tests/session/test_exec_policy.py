"""Policy decides about untrusted code wherever it is run."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import output_of, pause_of, records_of, runtime_in, start
from tests.support.executions import executed_from_now_on
from tests.support.killing import world

from ..test_policy_profiles import run_with
from .test_policy_depth import PLACES, RUN, answering, gated, policed, star_files, ts, ts_files, write

WAT = '(module (func (export \\"f\\") (result i32) (i32.const 7)))'
TARGETS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # The rule, the call in TypeScript and in Starlark, and the function of the record.
    "exec:js": (
        {"target": "exec:js", "match_args": {"source": "input.gated"}},
        'chidori.execJs("input.gated", { input: { gated: 1 } })',
        'exec_js("input.gated", {"gated": 1})',
        "exec_js",
    ),
    "exec:python": ({"target": "exec:python"}, 'chidori.execPython("6 * 7")', 'exec_python("6 * 7")', "exec_python"),
    "exec:wasm": (
        {"target": "exec:*", "match_args": {"function": "f"}},
        f'chidori.execWasm("{WAT}", {{ function: "f" }})',
        f'exec_wasm("{WAT}", "f")',
        "exec",
    ),
}
CASES = [
    (target, place, language)
    for number, place in enumerate(PLACES)
    for offset, language in enumerate(("typescript", "starlark"))
    for target in [list(TARGETS)[(number + offset) % 3]]
]


@pytest.mark.parametrize(("target", "place", "language"), CASES)
@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_untrusted_code_is_denied_or_approved_where_it_is_run(
    target: str, place: str, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = executed_from_now_on(monkeypatch)
    rule, in_typescript, in_starlark, function = TARGETS[target]
    files = ts_files(place, in_typescript) if language == "typescript" else star_files(place, in_starlark)
    path, at = write(tmp_path, files), PLACES[place]
    denied = f"policy: `{target}` denied (not here)"
    async with world() as (made, server):
        value = {"url": server.url}
        never = policed({**rule, "decision": "never_allow", "reason": "not here"})
        async with runtime_in(tmp_path, never) as runtime:
            assert output_of(await start(runtime, path, value, run_id="denied")) == [denied, denied]
            [record] = [record for record in records_of(runtime.store, "denied") if record["path"] == at]
            assert (record["function"], record["error"], record["result"]) == (function, denied, None)
            assert output_of(await runtime.replay("denied")) == [denied, denied]
        assert executed == []

        asks = policed({**rule, "decision": "ask_before", "reason": "look first"})
        async with runtime_in(tmp_path, asks) as runtime:
            [question] = pause_of(await start(runtime, path, value)).questions
            assert (question.kind, question.path, question.target) == ("approval", at, target)
            assert question.args is not None
            assert "source" in question.args
        assert executed == []
        async with runtime_in(tmp_path, asks) as runtime:
            assert output_of(await runtime.resume(RUN, attendance=answering("yes"))) == [None, None]
            assert gated(runtime, at)["args"] == question.args
            assert len(executed) == 2
            assert output_of(await runtime.replay(RUN)) == [None, None]
        assert len(executed) == 2
        assert made.requests == {"/before": 2}


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_a_refusal_runs_nothing_and_an_approval_repeats_no_earlier_execution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = executed_from_now_on(monkeypatch)
    body = """
  const before = await chidori.execJs("input + 1", { input: 1 });
  const asked = await chidori.tryCall(() => chidori.execPython("input + 1", { input: before }));
  return [before, asked.value ?? null, asked.error ?? null];"""
    path = write(tmp_path, {"agent.ts": ts(body)})
    rules = ({"target": "exec:python", "decision": "ask_before"},)
    for answer, output, kinds in (
        ("yes", [2, 3, None], ["js", "python"]),
        ("no", [2, None, "policy: `exec:python` denied (not approved: CHIDORI_POLICY: rules[0])"], ["js"]),
    ):
        executed.clear()
        async with runtime_in(tmp_path, policed(*rules)) as runtime:
            pause_of(await start(runtime, path, run_id=answer))
        async with runtime_in(tmp_path, policed(*rules)) as runtime:
            assert output_of(await runtime.resume(answer, attendance=answering(answer))) == output
        assert [execution.kind for execution in executed] == kinds


async def test_rules_match_the_source_the_runtime_and_the_bounds(tmp_path: Path) -> None:
    body = """
  const errors = [];
  for (const call of [
    () => chidori.execJs("1"), () => chidori.execJs("/* import */ 1"), () => chidori.execPython("1"),
    () => chidori.execPython("1", { runtime: "monty" }), () => chidori.execPython("1", { runtime: "cpython" }),
    () => chidori.execJs("1", { memoryMb: 128 }),
  ]) errors.push((await chidori.tryCall(call)).error ?? null);
  return errors;"""
    path = write(tmp_path, {"agent.ts": ts(body)})
    rules = (
        {"target": "exec:js", "decision": "never_allow", "match_args": {"source": "import"}, "reason": "imports"},
        {"target": "exec:*", "decision": "never_allow", "match_args": {"runtime": "cpython"}, "reason": "large"},
        {"target": "exec:js", "decision": "never_allow", "match_args": {"memory_mb": 128}, "reason": "memory"},
    )
    async with runtime_in(tmp_path, policed(*rules)) as runtime:
        assert output_of(await start(runtime, path)) == [
            None,
            "policy: `exec:js` denied (imports)",
            None,
            None,
            "policy: `exec:python` denied (large)",
            "policy: `exec:js` denied (memory)",
        ]


async def test_rules_match_what_holds_where_a_call_says_nothing(tmp_path: Path) -> None:
    body = """
  const errors = [];
  for (const call of [
    () => chidori.execPython("1"), () => chidori.execPython("1", { memoryMb: 32 }), () => chidori.execJs("1"),
    () => chidori.execWasm("(module)", { function: "f" }),
  ]) errors.push((await chidori.tryCall(call)).error ?? null);
  return errors;"""
    path = write(tmp_path, {"agent.ts": ts(body)})
    denied = [
        {"target": target, "decision": "never_allow", "match_args": args}
        for target, args in (
            ("exec:python", {"runtime": "monty", "memory_mb": 64}),
            ("exec:js", {"memory_mb": 64, "timeout_ms": 10_000}),
            ("exec:wasm", {"fuel": 1_000_000_000, "timeout_ms": 10_000, "memory_pages": 256}),
        )
    ]
    async with runtime_in(tmp_path, policed(*denied)) as runtime:
        python, small, js, wasm = output_of(await start(runtime, path))
    assert small is None
    assert [error.partition("(")[0] for error in (python, js, wasm)] == [
        f"policy: `exec:{name}` denied " for name in ("python", "js", "wasm")
    ]


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_untrusted_denies_and_supervised_asks_before_every_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = executed_from_now_on(monkeypatch)
    calls = ", ".join(f"() => {call}" for _, call, _, _ in TARGETS.values())
    body = f"""
  const errors = [];
  for (const call of [{calls}]) errors.push((await chidori.tryCall(call)).error ?? null);
  return errors;"""
    path = write(tmp_path, {"agent.ts": ts("return chidori.callAgent('child.ts', input);"), "child.ts": ts(body)})
    (tmp_path / "untrusted").mkdir()
    async with runtime_in(tmp_path / "untrusted") as runtime:
        errors = output_of(await run_with(runtime, path, {}, "untrusted"))
        assert [error.partition(" denied")[0] for error in errors] == [f"policy: `{target}`" for target in TARGETS]
    assert executed == []
    async with runtime_in(tmp_path) as runtime:
        paused = pause_of(await run_with(runtime, path, {}, "supervised"))
        for count, target in enumerate(TARGETS):
            assert [question.target for question in paused.questions] == [target]
            assert len(executed) == count
            result = await runtime.resume(RUN, attendance=answering("yes"))
            if count < 2:
                paused = pause_of(result)
        assert output_of(result) == [None] * 3
    assert [execution.kind for execution in executed] == ["js", "python", "wasm"]
