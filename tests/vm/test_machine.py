"""The VM's life: begin, step, image, restore, and the bounds that end it."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.golden import PAGE, STACK_TOP
from chidori_actors.vm.image import Image, ImageRejected
from chidori_actors.vm.machine import Bounds, Machine, StepOverran, VmFailed
from tests.support.vm import CONFIG, NOW_MS, Vm, begin, run_to_end

COUNTING = """
  const seen = new Map(); const squares = function* () { for (let i = 1; ; i++) yield i * i; }();
  for (let i = 0; i < input.turns; i++) seen.set(i, [await chidori.prompt("turn " + i), squares.next().value]);
  return [...seen.values()];
"""


def written(image: Image) -> bytes:
    return image.encode(load_engine().golden_memory)


def read(golden: str, data: bytes) -> Image:
    return Image.decode(golden, data, load_engine().golden_memory)


def restored(image: Image) -> Vm:
    return Vm(Machine.restore(load_engine(), read(image.golden, written(image)), Bounds()))


def test_a_call_goes_out_and_its_answer_comes_back() -> None:
    vm = begin('return `${await chidori.prompt("q", { model: "m" })}!`;')
    assert (vm.calls[0].ordinal, vm.calls[0].after, vm.calls[0].function) == (1, 0, "prompt")
    assert vm.args() == {"text": "q", "model": "m"}
    assert "agent.js:2" in vm.calls[0].site
    vm.give(1, "a")
    assert vm.output == "a!"


def test_one_image_gives_two_independent_vms() -> None:
    vm = begin(COUNTING, b'{"turns": 4}')
    for ordinal in (1, 2):
        vm.give(ordinal, f"first {ordinal}")
    image = vm.machine.image()
    one, two = restored(image), restored(image)
    for ordinal in (3, 4):
        one.give(ordinal, "one")
        two.give(ordinal, "two")
        vm.give(ordinal, "zero")
    begun = [["first 1", 1], ["first 2", 4]]
    assert one.output == [*begun, ["one", 9], ["one", 16]]
    assert two.output == [*begun, ["two", 9], ["two", 16]]
    assert vm.output == [*begun, ["zero", 9], ["zero", 16]]


def test_an_image_of_a_vm_with_modules_goes_on() -> None:
    counter = "let n = 0; export const next = () => ++n; " + (
        "export default class Box { #inside = 5; get() { return this.#inside; } }"
    )
    vm = begin(
        """counter.next(); const box = new counter.default();
        await chidori.log('x'); return [counter.next(), box.get()];""",
        modules={"counter.js": counter},
    )
    other = restored(vm.machine.image())
    other.give(1)
    assert other.output == [2, 5]


def test_the_image_after_two_thousand_calls_is_small() -> None:
    vm = begin("let last; for (let i = 0; i < 2001; i++) last = await chidori.prompt('p' + i); return last;")
    for ordinal in range(1, 2001):
        vm.give(ordinal, f"answer {ordinal}")
    image = vm.machine.image()
    assert len(image.pages) < 150 * PAGE
    other = restored(image)
    other.give(2001, "end")
    assert other.output == "end"


def test_a_restored_image_is_equal_to_the_one_taken() -> None:
    vm = begin(COUNTING, b'{"turns": 3}')
    vm.give(1, "x" * 100_000)
    image = vm.machine.image()
    assert restored(image).machine.image() == image


@pytest.fixture(scope="module")
def image() -> Image:
    return begin(COUNTING, b'{"turns": 3}').machine.image()


def with_number(data: bytes, index: int, number: int) -> bytes:
    return data[: 8 + 4 * index] + number.to_bytes(4, "little") + data[12 + 4 * index :]


@pytest.mark.parametrize(
    "mangle",
    [
        lambda data: b"",
        lambda data: data[:7],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:4] + (5).to_bytes(4, "little") + data[8:],
        lambda data: data[:4] + b"\xff\xff\xff\xff" + data[8:],
        lambda data: with_number(data, 0, STACK_TOP // PAGE - 1),
        lambda data: with_number(data, 1, STACK_TOP // PAGE),
        lambda data: with_number(data, int.from_bytes(data[4:8], "little") - 1, 1 << 30),
        lambda data: (1).to_bytes(4, "little") + data[4:],
    ],
)
def test_mangled_images_are_rejected(image: Image, mangle: Any) -> None:
    assert read(image.golden, written(image)) == image
    with pytest.raises(ImageRejected):
        read(image.golden, mangle(written(image)))


def test_images_of_another_golden_image_or_size_are_rejected(image: Image) -> None:
    for wrong in (replace(image, golden="0" * 64), replace(image, memory_bytes=1 << 40)):
        with pytest.raises(ImageRejected):
            Machine.restore(load_engine(), wrong, Bounds())


def test_two_processes_build_the_same_golden_image_whatever_their_locale(tmp_path: Path) -> None:
    program = "from chidori_actors.vm.engine import Engine; print(Engine().golden)"
    built = []
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for name, hash_seed, locale in (("one", "1", {}), ("two", "2", ascii_only)):
        environ = {
            **os.environ,
            **locale,
            "XDG_CACHE_HOME": str(tmp_path / name),
            "PYTHONHASHSEED": hash_seed,
        }
        ended = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=True
        )
        built.append(ended.stdout.strip())
    assert built[0] == built[1] == load_engine().golden


def works() -> bool:
    return bool(run_to_end("return await chidori.prompt('1') + 1;", answer=lambda call: 1).output == 2)


def test_an_endless_loop_is_stopped() -> None:
    other = begin(COUNTING, b'{"turns": 1}')
    with pytest.raises(StepOverran):
        begin("for (;;) {}", seconds=0.05)
    with pytest.raises(StepOverran):
        begin("const again = () => Promise.resolve().then(again); await again();", seconds=0.05)
    other.give(1, "on")
    assert other.output == [["on", 1]]
    assert works()


@pytest.mark.parametrize("slow", ["resolve", "code"])
def test_a_deadline_that_passes_while_the_host_answers_an_import_is_one_like_any_other(slow: str) -> None:
    class SlowSources:
        def resolve(self, base: str, specifier: str) -> str | None:
            time.sleep(0.1 if slow == "resolve" else 0)
            return specifier

        def code(self, name: str) -> str | None:
            time.sleep(0.1 if slow == "code" else 0)
            return "export const agent = () => 1;"

    machine = Machine(load_engine(), Bounds())
    with pytest.raises(StepOverran):
        machine.begin(CONFIG, b"{}", SlowSources(), NOW_MS, 0.02)
    begin("return 1;").machine.close()


def how_it_ends(body: str, bounds: Bounds) -> str:
    """The message of the error that ends an agent, be it the VM's or its own."""
    try:
        return begin(body, bounds=bounds).threw.message
    except VmFailed as failed:
        return str(failed)


@pytest.mark.parametrize(
    ("bomb", "words"),
    [
        ("const all = []; for (;;) all.push(new Array(10000).fill(all.length));", "32 MB of memory"),
        ("const map = new Map(); for (let i = 0; ; i++) map.set(i, {});", "32 MB of memory"),
        (
            """const all = [];
            try { for (;;) all.push("x".repeat(100000) + all.length); } catch { all.length = 0; return 1; }""",
            "32 MB of memory",
        ),
        ("return new ArrayBuffer(400 * 2 ** 20).byteLength;", "out of memory"),
        ("return new Uint8Array(2 ** 31).length;", "length"),
        ("let text = 'x'; for (;;) text += text;", "too long"),
    ],
)
def test_a_memory_bomb_ends_that_vm_only(bomb: str, words: str) -> None:
    other = begin(COUNTING, b'{"turns": 1}')
    assert words in how_it_ends(bomb, Bounds(memory_bytes=32 << 20))
    other.give(1, "on")
    assert other.output == [["on", 1]]
    assert works()


@pytest.mark.parametrize(
    "deep",
    [
        "const f = (n) => 1 + f(n + 1); f(0);",
        "const f = (n) => [1].map(() => f(n + 1)); f(0);",
        "const o = { get x() { return this.x; } }; o.x;",
        "let v = []; for (let i = 0; i < 100_000; i++) v = [v]; JSON.stringify(v);",
        "eval('('.repeat(50_000) + '1' + ')'.repeat(50_000));",
    ],
)
def test_calls_nested_too_deep_end_the_run_with_the_bound_even_when_caught(deep: str) -> None:
    with pytest.raises(VmFailed, match="nested too deep: more than 2 MB of stack"):
        begin(f"try {{ {deep} }} catch {{ return 'caught'; }}")
    assert works()


def test_a_hundred_thousand_pending_promises() -> None:
    vm = begin(
        """let open; const gate = new Promise((resolve) => { open = resolve; });
        const all = []; for (let i = 0; i < 100_000; i++) all.push(gate.then(() => 1));
        chidori.prompt("go").then(open);
        let sum = 0; for (const one of all) sum += await one; return sum;"""
    )
    vm.give(1)
    assert vm.output == 100_000


def test_ten_thousand_pending_calls() -> None:
    vm = begin(
        """const all = []; for (let i = 0; i < 10_000; i++) all.push(chidori.prompt("p" + i));
        return (await Promise.all(all)).length;"""
    )
    assert len(vm.calls) == 10_000
    for call in reversed(vm.calls):
        vm.give(call.ordinal, call.ordinal)
    assert vm.output == 10_000


def test_what_an_agent_says_after_its_end_is_not_heard() -> None:
    vm = begin("chidori.prompt('1').then(() => chidori.prompt('2')); return 'ended';")
    assert vm.output == "ended"
    assert vm.give(1) == []
