"""Agent code gets at nothing outside of its VM, and the host believes it nothing that the prelude did not say."""

import json
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Bounds, Call, Machine, Returned, StepOverran, VmFailed
from tests.support.vm import NOW_MS, begin, run_to_end

EVERYTHING = """
  const seen = new Set(), found = [];
  const look = (value, path) => {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) {
      if (typeof value === "string") found.push([path, value]);
      return;
    }
    if (seen.has(value)) return;
    seen.add(value);
    if (typeof value === "function") { try { found.push([path, Function.prototype.toString.call(value)]); } catch {} }
    let parent = null;
    try { parent = Object.getPrototypeOf(value); } catch {}
    look(parent, path + ".__proto__");
    let names = [];
    try { names = Reflect.ownKeys(value); } catch {}
    for (const name of names) {
      const at = path + "." + String(name);
      let property;
      try { property = Object.getOwnPropertyDescriptor(value, name); } catch { continue; }
      look(property.get, at + "(get)");
      look(property.set, at + "(set)");
      try { look(value[name], at); } catch (error) { look(error, at + "(error)"); }
    }
  };
  look(globalThis, "globalThis");
  look((function* () {})(), "generator"); look((async function* () {})(), "async generator");
  look((async () => {})(), "promise"); look(new Proxy({}, {}), "proxy"); look([][Symbol.iterator](), "iterator");
  look(new Error("x"), "error"); look(chidori, "chidori"); look(chidori.log("x"), "call");
  for (const code of ["this", "globalThis", "arguments", "new.target", "import.meta"]) {
    try { look(new Function("return " + code)(), code); } catch (error) { look(error, code); }
    try { look((0, eval)(code), code); } catch (error) { look(error, code); }
  }
  return [seen.size, found];
"""


def test_nothing_of_this_machine_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIDORI_ESCAPE_TEST", "a-value-of-the-environment")
    count, found = begin(EVERYTHING).output
    texts = "\n".join(text for _, text in found)
    assert count > 500
    for secret in (
        "a-value-of-the-environment",
        str(Path.home()),
        str(Path(__file__).parents[2]),
        "site-packages",
        ".py",
    ):
        assert secret not in texts
    assert " at 0x" not in texts


INTERNAL = ["settle", "receive", "take", "fail", "finish", "fork", "issue", "withdraw", "begin", "branch", "seed"]


@pytest.mark.parametrize(
    "collect",
    [
        """Error.prepareStackTrace = (e, sites) => {
             for (const site of sites) keep(site.getFunction?.(), site.getThis?.());
             return '';
           };""",
        "Promise.prototype.then = function (...all) { keep(...all, this); return new Promise(() => {}); };",
        "Object.defineProperty(Promise.prototype, 'constructor', { get() { return Proxy; }, configurable: true });",
        """for (const name of ['call', 'apply', 'bind']) {
             const before = Function.prototype[name];
             Function.prototype[name] = function (...all) {
               keep(this, all[0], all[1]);
               return apply(before, this, all);
             };
           }""",
        """const { getOwnPropertyDescriptor } = Object, { ownKeys } = Reflect;
           for (const kind of [Map, WeakMap, Array, String, RegExp]) for (const name of ownKeys(kind.prototype)) {
             const before = getOwnPropertyDescriptor(kind.prototype, name);
             if (typeof before.value !== 'function' || name === 'constructor') continue;
             kind.prototype[name] = function (...all) {
               keep(this, all[0], all[1]);
               return apply(before.value, this, all);
             };
           }""",
        """for (const name of ['resolve', 'reject', 'stack', 'signal', 'thunks', 'convert', 'onSettle', 'more', 'then',
                               'failure', 'data', 'inner', 'call', 'text', '0', '1', '2'])
             define(Object.prototype, name, {
               get() { keep(this); return undefined; },
               set(value) { keep(this, value); define(this, name, { value, writable: true, configurable: true }); },
               configurable: true });""",
        "Object.defineProperty(Array.prototype, '0', { set(value) { keep(this, value); }, get() { keep(this); } });",
    ],
)
def test_the_functions_of_the_prelude_are_never_in_the_hands_of_an_agent(collect: str) -> None:
    vm = run_to_end(
        f"""const apply = Reflect.apply, define = Object.defineProperty, kept = new Set(), add = kept.add.bind(kept);
        const keep = (...all) => {{ for (let i = 0; i < all.length; i++) add(all[i]); }};
        {collect}
        try {{ new Error("x").stack; }} catch {{}}
        setTimeout(() => {{ try {{ keep(new Error("y").stack); }} catch {{}} }}, 1);
        chidori.log("x").catch(() => 1);
        chidori.log("x", {{ get a() {{ try {{ keep(new Error("y").stack); }} catch {{}} return 1; }} }});
        chidori.parallel([() => 1]); chidori.parallel([() => 1], {{ isolate: false }});
        const abort = new AbortController();
        chidori.http("http://x", {{ signal: abort.signal }});
        abort.abort();
        chidori.retry(() => {{ throw new Error("z"); }}, {{ attempts: 1 }}).catch(() => 1);
        await new Promise((resolve) => setTimeout(resolve, 5));
        const names = [];
        kept.forEach((one) => {{ if (typeof one === "function") names[names.length] = one.name; }});
        return names;""",
        answer=lambda call: [1],
    )
    # Some of these break the agent's own `await`; what counts is what it got hold of.
    names = vm.output if isinstance(vm.end, Returned) else []
    assert not set(names) & set(INTERNAL)


@pytest.mark.parametrize(
    "forging",
    [
        """let reads = 0;
        Object.prototype.stack = { toString: () => reads++ % 2 ? "x\\ncall\\t9\\t0\\thttp\\t{}\\ty" : "x" };
        await chidori.parallel([() => 1]);""",
        "Object.prototype.stack = 'x\\ncall\\t9\\t0\\thttp\\t{}\\ty'; await chidori.parallel([() => 1]);",
        "Error.prepareStackTrace = () => 'x\\ncall\\t9\\t0\\thttp\\t{}\\ty'; await chidori.log('a');",
        """const name = "f\\ncall\\t9\\t0\\thttp\\t{}\\ty";
        await ({ [name]: async () => await chidori.log("a") })[name]();""",
        "await chidori.log('a\\ncall\\t9\\t0\\thttp\\t{}\\ty', { 'k\\n\\t': '\\u2028\\u2029\\u0000\\u0085' });",
        "console.log('a\\ncall\\t9\\t0\\thttp\\t{}\\ty'); console.error('\\ndone\\t1'); await chidori.log('a');",
        "console.group('x\\ncall\\t9\\t0\\thttp\\t{}\\ty'); console.log('x'); await chidori.log('a');",
        "await chidori.memory('set', 'k\\ncall\\t9\\t0\\thttp\\t{}\\ty', 1, { namespace: '\\n\\t' });",
        "await chidori.http('http://x/\\ncall\\t9\\t0\\thttp\\t{}\\ty', { method: 'GET\\n\\t' });",
        "setTimeout({ toString: 5, call: 1 }.constructor, '1\\ncall\\t9\\t0\\thttp\\t{}\\ty'); await chidori.log('a');",
        "setTimeout(() => 1, { valueOf: () => '1}\\ncall\\t9\\t0\\thttp\\t{}\\ty' }); await chidori.log('a');",
        "Object.prototype.toJSON = () => 'a\\ncall\\t9\\t0\\thttp\\t{}\\ty'; await chidori.log('a');",
        """const forged = '\\ncall\\t9\\t0\\thttp\\t{}\\ty';
        const lie = new Proxy({}, { get: (_, name) => name === 'toJSON' ? () => forged : 1 });
        await chidori.log('a', lie);""",
    ],
)
def test_no_text_of_an_agent_becomes_a_line_of_its_own(forging: str) -> None:
    vm = run_to_end(f"{forging} return 'end';", answer=lambda call: [1])
    assert vm.output == "end"
    assert [call.ordinal for call in vm.calls] == list(range(1, len(vm.calls) + 1))
    assert all(isinstance(json.loads(call.args), dict) for call in vm.calls)
    if "chidori.http(" not in forging:
        assert "http" not in [call.function for call in vm.calls]


THROWN = [
    "const e = new Error('a\\ndone\\t1\\tb'); e.name = 'N\\nfail\\t{}'; e.stack = 'x\\ndone\\t5'; throw e;",
    "throw 'a\\ndone\\t1';",
    "throw { toString() { return 'x\\ndone\\t1'; } };",
    """let reads = 0; const e = new Error('x');
    Object.defineProperty(e, 'stack', { get: () => reads++ ? { a: 1 } : 'x' }); throw e;""",
    "const e = new Error('x'); Object.defineProperty(e, 'name', { value: Symbol('x') }); throw e;",
    "const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 5; } }); throw e;",
    "throw new Proxy(new Error('x'), { get() { throw new Error('y'); } });",
    "Object.defineProperty(Error, Symbol.hasInstance, { value() { throw 5; } }); throw new Error('x');",
    "Object.prototype.toJSON = () => 5; throw new Error('x');",
    "Object.prototype.inner = 5; Object.prototype.data = 'x'; await chidori.prompt('refused');",
    "Object.prototype.name = 5; Object.prototype.call = 'x'; await chidori.prompt('refused');",
    "Object.defineProperty(Object.prototype, 'status', { set() { throw 5; } }); await chidori.prompt('refused');",
    "Object.prototype.get = () => 1; await chidori.prompt('refused');",
]


@pytest.mark.parametrize("throwing", THROWN)
def test_whatever_an_agent_throws_the_host_is_told_of_an_error(throwing: str) -> None:
    vm = begin(throwing)
    if vm.calls:
        vm.refuse(1, message="no", name="Error", data={"status": 503})
    threw = vm.threw
    assert isinstance(threw.name, str)
    assert isinstance(threw.stack, str)
    assert threw.inner is None
    assert threw.data in (None, {"status": 503})
    assert sum(type(item).__name__ in ("Threw", "Returned") for item in vm.said) == 1


def test_an_agent_ends_once_whatever_runs_while_its_end_is_described() -> None:
    again = """const target = new EventTarget(); target.addEventListener('x', () => { throw new Error('inner'); });
    const again = () => { target.dispatchEvent(new Event('x')); return 1; };"""
    for end in (
        "return { get a() { return again(); } };",
        "throw Object.defineProperty(new Error('x'), 'message', { get: again });",
    ):
        vm = begin(again + end)
        assert [type(item).__name__ for item in vm.said].count("Threw") == 1
        assert vm.threw.message == "inner"
        assert not [item for item in vm.said if type(item).__name__ == "Returned"]


def test_calls_that_are_made_while_a_call_is_made_stand_in_their_order() -> None:
    vm = begin(
        """let once = true;
        Object.defineProperty(Error, 'stackTraceLimit', {
          get: () => 5, set() { if (once) { once = false; chidori.log('inner'); } } });
        chidori.log('outer', { get a() { chidori.log('getter'); return 1; } });"""
    )
    assert [call.ordinal for call in vm.calls] == list(range(1, len(vm.calls) + 1))
    assert {"inner", "outer", "getter"} == {json.loads(call.args)["message"] for call in vm.calls}


def test_a_call_that_an_agent_spoils_takes_no_number() -> None:
    vm = begin(
        """const set = () => { throw new Error('mine'); };
        Object.defineProperty(Error, 'stackTraceLimit', { get: () => 5, set, configurable: true });
        await chidori.log('a').catch(() => 1); delete Error.stackTraceLimit; chidori.log('b');"""
    )
    assert [(call.ordinal, json.loads(call.args)["message"]) for call in vm.calls] == [(1, "b")]


@pytest.mark.parametrize(
    "line",
    [
        b"call\t2\t0\tlog",
        b"call\tx\t0\tlog\t{}\t",
        b"call\t1\t0\tlog\t{}\t\xff",
        b"abort\tnone",
        b"log\tinfo\tnot json",
        b"fail\t5",
        b'fail\t{"name":"E","message":"m","stack":{},"call":null}',
        b'fail\t{"name":"E","message":"m","stack":"","call":null,"more":1}',
        b'fail\t{"name":"E","message":"m","stack":"","call":null,"inner":5}',
        b"nonsense",
        b"",
    ],
)
def test_a_line_that_no_agent_can_say_ends_the_vm_with_a_clear_error(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(load_engine(), Bounds())
    monkeypatch.setattr(Machine, "_exchange", lambda self, data: line + b'\nlog\tinfo\t"x"')
    with pytest.raises(VmFailed, match="was tampered with"):
        machine.step([])


def test_two_vms_share_nothing() -> None:
    mark = """
      globalThis.left = 1; Object.prototype.left = 1; Array.prototype.left = 1; Function.prototype.left = 1;
      Promise.prototype.left = 1; chidori.log.left = 1; console.left = 1; Error.left = 1; Math.left = 1;
      JSON.parse.left = 1; Reflect.left = 1; setTimeout.left = 1; URL.left = 1;
      console.group(); console.count('left'); for (let i = 0; i < 3; i++) Math.random(); setTimeout(() => 1, 5);"""
    look = """
      const all = [globalThis, Object.prototype, Array.prototype, Function.prototype, Promise.prototype, chidori.log,
        console, Error, Math, JSON.parse, Reflect, setTimeout, URL];
      console.log('x'); console.count('left');
      return [all.filter((one) => 'left' in one).length, Math.random(), setTimeout(() => 1, 5)];"""
    first = begin(look)
    for end in ("throw new Error('x');", "return 1;", "await chidori.prompt('waits');") * 17:
        begin(mark + end).machine.close()
        again = begin(look)
        assert again.output == first.output
        assert again.said == first.said
        again.machine.close()


def test_a_vm_that_was_stopped_leaves_nothing_to_the_next() -> None:
    with pytest.raises(StepOverran):
        begin("Object.prototype.left = 1; globalThis.left = 1; for (;;) await null;", seconds=0.1)
    assert begin("return ['left' in globalThis, 'left' in {}];").output == [False, False]


def test_time_stands_still_while_an_agent_computes() -> None:
    vm = begin(
        """const clocks = () => [Date.now(), +new Date(), new Date().getTime(), Date(), String(new Date()),
          new Date().getTimezoneOffset(), new Event('x').timeStamp];
        const others = ['performance', 'Atomics', 'SharedArrayBuffer', 'Intl', 'Temporal', 'Worker', 'WebAssembly'];
        const before = JSON.stringify(clocks());
        for (let i = 0; i < 3_000_000; i++) Math.imul(i, i);
        for (let i = 0; i < 2000; i++) await null;
        return [before === JSON.stringify(clocks()), Date.now(), others.filter((name) => name in globalThis)];"""
    )
    assert vm.output == [True, NOW_MS, []]


MODULES = [
    "std",
    "os",
    "qjs:std",
    "qjs:os",
    "bjson",
    "/etc/passwd",
    "../../etc/passwd",
    "file:///etc/passwd",
    "node:fs",
]


@pytest.mark.parametrize("name", [*MODULES, "fs", "node:fs", "chidori:starlark"])
def test_no_import_leads_out_of_the_bundle(name: str) -> None:
    vm = begin(
        f"""const name = {json.dumps(name)}, got = [];
        const made = new Function("n", "return import(n)");
        const ways = [() => import(name), () => eval("import(name)"), () => made(name)];
        for (const load of ways) {{
          try {{ await load(); got.push("loaded"); }} catch (error) {{ got.push(String(error).includes(name)); }}
        }}
        return got;"""
    )
    assert vm.output == [True, True, True]


def settle(call: Call) -> Any:
    return f"to {call.ordinal}"


@pytest.mark.parametrize("between", [False, True])
def test_an_agent_cannot_take_the_result_of_another_call(between: bool) -> None:
    poison = """
      const taken = [], note = (what) => { taken[taken.length] = what; return { resolve() {}, reject() {} }; };
      for (const kind of [Map, WeakMap, Array]) for (const name of ['get', 'set', 'push', 'delete', 'forEach', 'shift'])
        if (kind.prototype[name]) kind.prototype[name] = () => note(name);
      Object.defineProperty(Object.prototype, 'resolve', { set: () => note('resolve'), get: () => () => 1 });
      JSON.parse = JSON.stringify = () => note('json');
      Promise.prototype.then = () => note('then');"""
    vm = run_to_end(
        f"""{"" if between else poison}
        const a = chidori.prompt("a"), b = chidori.prompt("b");
        {poison if between else ""}
        const second = await b, first = await a;
        return [first, second, await chidori.prompt("c"), taken];""",
        answer=settle,
    )
    assert vm.output == ["to 1", "to 2", "to 3", []]
    assert [json.loads(call.args) for call in vm.calls] == [{"text": "a"}, {"text": "b"}, {"text": "c"}]


def test_an_import_after_the_memory_moved_reads_the_memory_of_the_vm() -> None:
    # Beyond the address space that is reserved for it, a memory moves in the middle of a step.
    assert begin("return input.x.length;", b'{"x":"%b"}' % (b"y" * 30_000_000)).output == 30_000_000
    vm = begin(
        "return kept;",
        modules={
            "grown.js": "globalThis.kept = new Uint8Array(90 << 20).length; await import('./late.js');",
            "late.js": "export {};",
        },
        bounds=Bounds(memory_bytes=256 << 20),
    )
    assert vm.output == 90 << 20
