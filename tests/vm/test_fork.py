"""A VM that becomes a branch: what it keeps of its parent, and what of its parent never runs in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Aborted, Bounds, Machine, inherited_key, parents_key
from tests.support.process import run_python
from tests.support.vm import Vm, begin

BUILD = """
import hashlib, sys
from chidori_actors.vm.engine import load_engine
engine = load_engine()
print(engine.golden, hashlib.sha256(bytes(engine.golden_memory)).hexdigest())
"""

DEFERRED = "let resolve, reject; const gate = new Promise((yes, no) => { resolve = yes; reject = no; });"
TOLD = '() => chidori.log("parent")'


def test_the_golden_image_is_the_same_in_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = set()
    for number in range(3):
        # Caches of their own: each process builds the image.
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(number)))
        built = run_python(BUILD, options=("-R",) if number else ())
        assert built.returncode == 0, built.stderr
        told.add(built.stdout)
    assert len(told) == 1
    assert told.pop().split()[0] == load_engine().golden


def test_a_branch_has_everything_that_its_parent_had() -> None:
    vm = begin(
        """class Counter { #n = 1; static made = 0; constructor() { Counter.made++; } next() { return this.#n++; } }
        const counter = new Counter(); counter.next();
        const map = new Map([["a", new Set([1, 2])], [counter, "object key"]]);
        const weak = new WeakMap([[counter, "weak"]]);
        const numbers = (function* () { let n = 10; while (true) n += yield n; })(); numbers.next(); numbers.next(5);
        const text = "x".repeat(1000), big = 2n ** 70n, bytes = new Uint8Array([1, 2, 255]);
        const symbol = Symbol("s"), object = { [symbol]: 1, get double() { return this[symbol] * 2; } };
        const controller = new AbortController(), pattern = /a+/g; pattern.test("aab");
        let changed = 0; const change = () => ++changed;
        await chidori.parallel([async () => {
          change();
          const before = await chidori.log("one"); change();
          controller.abort(new Error("mine"));
          return [counter.next(), Counter.made, map.get(counter), [...map.get("a")], weak.get(counter),
            numbers.next(1).value, text.length, `${big}`, [...bytes], object.double, controller.signal.reason.message,
            pattern.lastIndex, changed, before];
        }]);
        return [counter.next(), changed, numbers.next(0).value, controller.signal.aborted];"""
    )
    branch = vm.fork()
    assert [call.ordinal for call in branch.calls] == [1], "a branch numbers its calls from 1"
    branch.give(1, "said")
    expected = [2, 1, "object key", [1, 2], "weak", 16, 1000, str(2**70), [1, 2, 255], 2, "mine", 2, 2, "said"]
    assert branch.output == expected
    vm.give(1, [None])
    assert vm.output == [2, 0, 15, False], "the parent has nothing of what the branch changed"


# Each is (what the parent does before it forks, on the call 1 named `call` or on `gate`; what the branch does).
PARENT_FLOWS = {
    "await": f"(async () => {{ await call; ({TOLD})(); }})();",
    "await, twice": f"const f = async () => {{ await call; ({TOLD})(); }}; (async () => {{ await f(); f(); }})();",
    "then": f"call.then({TOLD});",
    "catch": f"call.catch({TOLD});",
    "finally": f"call.finally({TOLD});",
    "chain": f"call.then((x) => x).then((x) => x).then({TOLD}, {TOLD});",
    "all": f"Promise.all([call, gate]).then({TOLD}, {TOLD});",
    "allSettled": f"Promise.allSettled([call, gate]).then({TOLD});",
    "race": f"Promise.race([call, gate]).then({TOLD}, {TOLD});",
    "any": f"Promise.any([call, gate]).then({TOLD}, {TOLD});",
    "resolve": f"Promise.resolve(call).then({TOLD}, {TOLD});",
    "resolved with it": f"new Promise((yes) => yes(call)).then({TOLD}, {TOLD});",
    "thenable": f"(async () => {{ await {{ then: (yes, no) => call.then(yes, no) }}; ({TOLD})(); }})().catch({TOLD});",
    "async generator": f"""const made = (async function* () {{ yield await call; }})();
        (async () => {{ for await (const x of made) ({TOLD})(); }})();""",
    "async iteration of promises": f"(async () => {{ for await (const x of [call, gate]) ({TOLD})(); }})();",
    "yield*": f"""const inner = async function* () {{ await call; ({TOLD})(); yield 1; }};
        (async () => {{ for await (const x of (async function* () {{ yield* inner(); }})()) ({TOLD})(); }})();""",
    "Array.fromAsync": f"Array.fromAsync?.([call])?.then({TOLD}, {TOLD});",
    "retry": f"chidori.retry(() => call, {{ attempts: 1 }}).then({TOLD}, {TOLD});",
    "tryCall": f"chidori.tryCall(() => call).then({TOLD});",
    "isolate: false": f"chidori.parallel([() => call], {{ isolate: false }}).then({TOLD}, {TOLD});",
    "deferred": f"gate.then({TOLD}, {TOLD}); gate.finally({TOLD});",
    "deferred, awaited": f"(async () => {{ try {{ await gate; }} finally {{ ({TOLD})(); }} }})();",
}


@pytest.mark.parametrize("settles", [True, False])
@pytest.mark.parametrize("flow", PARENT_FLOWS.values(), ids=PARENT_FLOWS.keys())
def test_what_the_parent_was_waiting_to_do_runs_in_the_parent_alone(flow: str, settles: bool) -> None:
    vm = begin(
        f"""const call = chidori.http("http://a/"); {DEFERRED} {flow}
        call.catch(() => {{}}); gate.catch(() => {{}});
        await chidori.parallel([async () => {{
          {"resolve(1)" if settles else "reject(new Error('no'))"};
          const own = [];
          try {{ own.push(await call); }} catch (error) {{ own.push(error.message); }}
          try {{ own.push(await gate); }} catch (error) {{ own.push(error.message); }}
          return own;
        }}]);
        return "parent ended";"""
    )
    branch = vm.fork()
    key = inherited_key(1)
    if settles:
        branch.give(key, "came")
    else:
        branch.refuse(key, message="came not")
    assert branch.output == (["came", 1] if settles else ["came not", "no"])
    assert branch.calls == []
    if settles:
        vm.give(1, "came")
    else:
        vm.refuse(1, message="came not")
    vm.give(2, [None])
    assert vm.output == "parent ended"


def test_each_flow_of_a_parent_would_be_heard_of() -> None:
    """Else the test above proves nothing."""
    for name, flow in PARENT_FLOWS.items():
        vm = begin(
            f"""const call = chidori.http("http://a/"); {DEFERRED} {flow}
            await chidori.parallel([() => {{}}]); resolve(1); await call.catch(() => {{}});
            for (let i = 0; i < 20; i++) await null;
            return 1;"""
        )
        vm.give(2, [None])
        if name == "catch":
            vm.refuse(1, message="no")
        else:
            vm.give(1, "came")
        assert "log" in [call.function for call in vm.calls] or name == "Array.fromAsync", name


@pytest.mark.parametrize("api", ["setTimeout", "setInterval"])
def test_a_timer_of_the_parent_does_not_fire_in_a_branch(api: str) -> None:
    vm = begin(
        f"""const timer = {api}(() => chidori.log("parent"), 5);
        await chidori.parallel([async () => {{
          clearTimeout(timer); clearInterval(timer);
          await new Promise((resolve) => setTimeout(resolve, 7));
          return "slept";
        }}]); return 1;"""
    )
    branch = vm.fork()
    assert [(call.ordinal, call.function, call.args) for call in branch.calls] == [(1, "timer", b'{"ms":7}')]
    assert not [said for said in branch.said if isinstance(said, Aborted)], "it is the parent's to clear"
    branch.give(inherited_key(1))
    branch.give(1)
    assert branch.output == "slept"
    assert [call.function for call in branch.calls] == ["timer"]
    vm.give(1)
    assert "log" in [call.function for call in vm.calls], "it fires in the parent"


def test_a_listener_of_the_parent_hears_of_an_abort_in_its_own_vm_only() -> None:
    vm = begin(
        """const controller = new AbortController(); let heard = 0;
        controller.signal.addEventListener("abort", () => { heard++; });
        const call = chidori.http("http://a/", { signal: controller.signal });
        const outcome = call.then(() => "answered", (error) => error.name);
        await chidori.parallel([async () => {
          const own = call.catch((error) => error.name);
          controller.abort();
          return [await own, heard];
        }]);
        return [heard, controller.signal.aborted, await outcome];"""
    )
    branch = vm.fork()
    assert branch.output == ["AbortError", 1]
    assert not [said for said in branch.said if isinstance(said, Aborted)], "the call is the parent's"
    vm.give(2, [None])
    vm.give(1, "answer")
    assert vm.output == [0, False, "answered"]


def test_an_abort_in_a_branch_leaves_its_call_with_the_ordinal_of_the_fork_alone() -> None:
    vm = begin(
        """const controller = new AbortController();
        await chidori.parallel([async () => {
          const own = chidori.log("branch");
          controller.abort();
          return (await chidori.tryCall(() => own)).ok;
        }], { signal: controller.signal });"""
    )
    branch = vm.fork()
    assert not [said for said in branch.said if isinstance(said, Aborted)]
    branch.give(1)
    assert branch.output is True


def test_a_timeout_signal_of_the_parent_leaves_calls_of_a_branch_alone() -> None:
    vm = begin(
        """const signal = AbortSignal.timeout(50);
        await chidori.parallel([async () => {
          await chidori.log("a"); await chidori.http("http://a/", { signal }); return "ended"; }]);"""
    )
    branch = vm.fork()
    branch.give(1)
    branch.give(2, "answer")
    assert branch.output == "ended"
    assert [call.function for call in branch.calls] == ["log", "http"], "no timer of its own"


@pytest.mark.parametrize("depth", [2, 3])
def test_a_fork_of_a_fork_settles_what_its_grandparent_waits_for(depth: int) -> None:
    thunk = "async () => [n, await call, await mine]"
    for level in range(depth, 1, -1):
        thunk = f"""async () => {{
            n++; const mine = chidori.log("level {level}"); mine.then(() => chidori.log("never"));
            return chidori.parallel([{thunk}]);
        }}"""
    vm = begin(f"""let n = 0; const call = chidori.prompt("p"), mine = null; call.then(() => chidori.log("never"));
        return chidori.parallel([{thunk}]);""")
    branch, key = vm, 1
    for _ in range(depth):
        branch, key = branch.fork(), inherited_key(key)
    mine = inherited_key(1)
    assert mine != key
    branch.give(key, "from above")
    if depth > 1:
        assert branch.end is None
        branch.give(mine, "from the parent")
    assert branch.output == [depth - 1, "from above", "from the parent"]
    assert branch.calls == []


def test_keys_of_different_levels_never_meet() -> None:
    seen = set()
    for ordinal in (1, 2, 1000, 2**32):
        key = ordinal
        for _ in range(40):
            parents, key = key, inherited_key(key)
            assert key < 0
            assert parents_key(key) == parents
            assert abs(key) < 2**53, "exact in JavaScript"
            assert key not in seen
            seen.add(key)


def test_a_parent_that_resolves_with_its_own_call_settles_it_in_the_branch_as_well() -> None:
    vm = begin(
        """const { promise, resolve } = Promise.withResolvers(); promise.then(() => chidori.log("parent"));
        await chidori.parallel([
          async () => { const got = promise.then((x) => x + 1); resolve(1); return await got; },
          async () => promise,
        ]);"""
    )
    assert vm.fork(0).output == 2
    assert vm.fork(0).calls == []
    assert vm.fork(1).end is None, "what only the parent can settle stays open"


def test_a_fork_after_thousands_of_calls_is_as_good_as_one_at_the_start() -> None:
    vm = begin(
        """const all = []; for (let i = 0; i < 3000; i++) all.push(await chidori.log(`${i}`));
        const late = chidori.input("?"); late.then(() => chidori.log("parent"));
        await chidori.parallel([async () => [all.length, all.at(-1), await late, await chidori.log("own")]]);"""
    )
    for ordinal in range(1, 3001):
        vm.give(ordinal, ordinal)
    branch = vm.fork()
    branch.give(inherited_key(3001), "answer")
    assert [(call.ordinal, call.after) for call in branch.calls] == [(1, 1)]
    branch.give(1, "said")
    assert branch.output == [3000, 3000, "answer", "said"]


def test_branches_of_one_image_do_not_see_each_other() -> None:
    vm = begin(
        """const shared = { n: 0 };
        await chidori.parallel([0, 1, 2].map((i) => async () => {
          shared.n += i + 1; await chidori.log("x"); shared.n *= 10; return [shared.n, Math.random()];
        }));"""
    )
    branches = [vm.fork(index, random=(index, 2, 3, 4)) for index in range(3)]
    for branch in reversed(branches):
        branch.give(1)
    assert [branch.output[0] for branch in branches] == [10, 20, 30]
    assert len({branch.output[1] for branch in branches}) == 3


def same(branch: Vm) -> Vm:
    return branch


def restored(branch: Vm) -> Vm:
    return Vm(Machine.restore(load_engine(), branch.machine.image(), Bounds()), list(branch.said))


@pytest.mark.parametrize("moved", [same, restored])
def test_a_branch_that_was_put_away_goes_on(moved: Callable[[Vm], Vm]) -> None:
    vm = begin(
        """const call = chidori.prompt("p"); call.then(() => chidori.log("parent"));
        await chidori.parallel([async () => [await chidori.log("own"), await call, await chidori.log("more")]]);"""
    )
    branch = moved(vm.fork())
    branch.give(1, "a")
    branch = moved(branch)
    branch.give(inherited_key(1), "b")
    branch = moved(branch)
    branch.give(2, "c")
    assert branch.output == ["a", "b", "c"]
    assert [call.function for call in branch.calls] == ["log", "log"]


def test_an_error_that_the_parent_caught_is_not_one_of_a_call_of_the_branch() -> None:
    vm = begin(
        """let error; try { await chidori.http("http://a/"); } catch (caught) { error = caught; }
        await chidori.parallel([async () => { await chidori.log("own call 1"); throw error; }]);"""
    )
    vm.refuse(1, message="refused")
    branch = vm.fork()
    branch.give(1)
    assert branch.threw.message == "refused"
    assert branch.threw.call != 1, "call 1 of the branch went well"


def test_an_image_is_taken_however_late_it_is() -> None:
    vm = begin('await chidori.parallel([() => chidori.log("in the branch")]);')
    engine = load_engine()
    vm.machine.step([], 0.01)
    for _ in range(100):  # the step's time passes, as it does while others have the processor
        engine.wasmtime.increment_epoch()
    assert [call.function for call in vm.fork().calls] == ["log"]
