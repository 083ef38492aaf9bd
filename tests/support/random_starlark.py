"""Random Starlark programs with host calls wherever an expression can stand, and what Python makes of them.

The programs keep to what Starlark and Python have in common, so Python says what they come to and in which order they
call the host.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from chidori_actors.host.function import HostCall, HostError, HostResult, HostServices

_HEAD = """
def total(numbers):
  n = 0
  for number in numbers:
    n += number
  return n % 1000
def ask(n): return int(prompt("%d" % n))
def flaky(n): return int(prompt("flaky %d" % n))
def star(*a, **k): return ask(total(a) + k.get("z", 0))
def mutable(value): return value
def agent():
  u = ask(3)
  xs = mutable([1, ask(2)])
  ys = mutable([ask(1), 4, 5])
  d = mutable({"k0": 1, "k1": ask(9), "k2": 3})
"""
_TAIL = "  return [u, xs, ys, d]\n"
_ASSIGNMENTS = ("=", "+=", "-=")

# Templates by the kind of their value. A hole is {KIND NAMES}, the names being those that its expression may use beside
# what is in scope; <x> is a new name. `some` is a list that is not empty, `old` a list that has a name.
_SHAPES = {
    "int": (
        "({int} + {int})",
        "({int} * {int} % 97)",
        "(-{int} % 13)",
        "({int} if {bool} else {int})",
        "(1 if not {bool} else {int})",
        "({int} or {int})",
        "({int} and {int})",
        "ask({int})",
        "ask({int})",
        'int(prompt("%d" % {int}))',
        "flaky({int})",
        "total({list})",
        "len({list})",
        "{some}[0]",
        "[{int}, {int}, {int}][{int} % 3]",
        "max({some}, key=lambda <x>: {int <x>})",
        "min({int}, {int}, key=lambda <x>: ask(<x>))",
        "(lambda <x>, <y>={int}: {int <x> <y>})({int})",
        "star({int}, z={int})",
        'star(*{list}, **{"z": {int}})',
        'd.get("k%d" % ({int} % 3), {int})',
        '{"a": {int}, "b": {int}}["a" if {bool} else "b"]',
        '(int("%d%d" % ({int} % 100, {int} % 100 + 1)) % 50)',
        'len("{}-{k}".format({int}, k={int}))',
        '(try_call(lambda: {int})["value"] or 0)',
        "retry(lambda: {int}, max_attempts=2, initial_delay_ms=1)",
        "retry(lambda: {old}.append({int}) or flaky(len({old})), max_attempts=2, initial_delay_ms=1)",
    ),
    "bool": (
        "{int} < {int}",
        "{int} == {int}",
        "{int} in {list}",
        "({int} > 4 or {int} < 2)",
        "({int} and {int})",
        "not ({int} > 4)",
    ),
    "some": ("([{int}] + {list})",),
    "list": (
        "[{int}, {int}]",
        "[{int}, {int}]",
        "({list} + {list})",
        "{list}[{int} % 2:{int} % 4 + 1]",
        "[{int <x>} for <x> in {list}[:3] if {bool <x>}]",
        "[{int <x> <y>} for <x> in {list}[:2] for <y> in [{int <x>}, 1]]",
        "[<x>() for <x> in [lambda: {int <y>} for <y> in {list}[:2]]]",
        "[<x> + <y> for <x>, <y> in zip({list}, {list})]",
        'list({"k%d" % <x>: {int <x>} for <x> in {list}[:3]}.values())',
        "sorted({list}, key=lambda <x>: {int <x>})",
        "sorted({list}, key=lambda <x>: {int <x>}, reverse=True)",
        # Branches at once cannot fail: which of them failed first would be a matter of time.
        'parallel([lambda: try_call(lambda: {int})["value"] or 0, lambda <x>={int}: {old}.append(<x>) or len({old})])',
        'parallel([lambda <x>=<x>: try_call(lambda: {int <x>})["value"] or 0 for <x> in {list}[:2]])',
        "parallel([lambda: {int}, lambda <x>={int}: {int <x>}], concurrency=1)",
    ),
}
_CALLS = ("{f}({int})", "{f}({int}, {int})", "{f}(a={int})", "{f}({int}, b={int})")
_LEAVES = {
    "int": ("{digit}", "{old int}", "ask({old int})", "ask({digit})"),
    "bool": ("{digit} < {old int}",),
    "some": ("[{digit}, ask({old int})]",),
    "list": ("[{digit}, ask({old int})]", "[<x> % 50 for <x> in {old}][:2]"),
}
_NEW_NAME = re.compile(r"<(\w)>")
_HOLE = re.compile(r"\{(int|bool|some|list|old int|old|digit)((?: [a-z]\d+)*)\}")


@dataclass(frozen=True, slots=True)
class _Scope:
    """The names that an expression may use; ``own`` are numbers that a statement may change."""

    numbers: tuple[str, ...] = ("u",)
    own: tuple[str, ...] = ("u",)
    functions: tuple[str, ...] = ()

    def inside(self, *names: str) -> "_Scope":
        """With the names of a lambda or a loop, which are used more often than the others."""
        return replace(self, numbers=(*self.numbers, *names, *names))


class _Writer:
    """Writes one program; ``budget`` bounds its expressions."""

    def __init__(self, choice: random.Random) -> None:
        self._random = choice
        self._budget = 70
        self._names = 0

    def program(self) -> str:
        return "\n".join([_HEAD.rstrip(), *self._block(_Scope(), size=6, depth=2, in_loop=False), _TAIL])

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    def _expression(self, kind: str, scope: _Scope, depth: int) -> str:
        self._budget -= 1
        shapes = _LEAVES[kind] if depth <= 0 or self._budget < 0 else _SHAPES[kind]
        if shapes is _SHAPES["int"] and scope.functions and self._random.randrange(8) == 0:
            shapes = tuple(call.replace("{f}", self._random.choice(scope.functions)) for call in _CALLS)
        return self._filled(self._random.choice(shapes), scope, depth - 1)

    def _filled(self, shape: str, scope: _Scope, depth: int) -> str:
        names = {letter: self._name(letter) for letter in dict.fromkeys(_NEW_NAME.findall(shape))}
        named = _NEW_NAME.sub(lambda match: names[match[1]], shape)

        def fill(match: re.Match[str]) -> str:
            if match[1] == "digit":
                return str(self._random.randrange(9))
            if match[1] == "old":
                return self._random.choice(("xs", "ys"))
            if match[1] == "old int":
                return self._random.choice(scope.numbers)
            return self._expression(match[1], scope.inside(*match[2].split()), depth)

        return _HOLE.sub(fill, named)

    def _block(self, scope: _Scope, *, size: int, depth: int, in_loop: bool) -> list[str]:
        lines: list[str] = []
        for _ in range(size):
            kind = self._random.randrange(12)
            if kind <= 2:
                name = self._name("v")
                lines.append(f"{name} = " + self._deep("{int}", scope))
                scope = replace(scope, numbers=(*scope.numbers, name), own=(*scope.own, name))
            elif kind == 3:
                a, b = self._name("v"), self._name("v")
                lines.append(f"{a}, {b} = " + self._deep("{int}, {int}", scope))
                scope = replace(scope, numbers=(*scope.numbers, a, b))
            elif kind == 4 and depth:
                name = self._name("f")
                lines += self._function(name, scope, depth)
                scope = replace(scope, functions=(*scope.functions, name))
            elif kind == 5 and depth:
                lines += self._loop(scope, depth)
            elif kind == 6 and depth:
                lines += self._condition(scope, depth, in_loop)
            elif kind == 7 and in_loop:
                lines.append(self._filled("if {bool}: ", scope, 2) + self._random.choice(("break", "continue")))
            else:
                lines.append(self._change(scope))
        return ["  " + line for line in lines]

    def _deep(self, shape: str, scope: _Scope) -> str:
        return self._filled(shape, scope, self._random.randrange(2, 5))

    def _function(self, name: str, scope: _Scope, depth: int) -> list[str]:
        inner = replace(scope.inside("a", "b"), own=())
        head = f"def {name}(a, b={self._expression('int', scope, 2)}):"
        body = self._block(inner, size=2, depth=depth - 1, in_loop=False)
        return [head, *body, "  return " + self._filled("{int}", inner, 3)]

    def _loop(self, scope: _Scope, depth: int) -> list[str]:
        name = self._name("i")
        head = f"for {name} in " + self._deep("{list}[:3]:", scope)
        return [head, *self._block(scope.inside(name), size=2, depth=depth - 1, in_loop=True)]

    def _condition(self, scope: _Scope, depth: int, in_loop: bool) -> list[str]:
        then = self._block(scope, size=2, depth=depth - 1, in_loop=in_loop)
        other = self._block(scope, size=1, depth=depth - 1, in_loop=in_loop)
        return [self._deep("if {bool}:", scope), *then, "else:", *other]

    def _change(self, scope: _Scope) -> str:
        sign = self._random.choice(_ASSIGNMENTS)
        shapes = [
            "{old}.append({int})",
            "{old}.extend({list})",
            "{old}[{int} % 2] " + sign + " {int}",
            'd["k%d" % ({int} % 3)] ' + sign + " {int}",
        ]
        if scope.own:
            shapes.append(f"{self._random.choice(scope.own)} += {{int}}")
        return self._deep(self._random.choice(shapes), scope)


# -- the world --------------------------------------------------------------------------------------------------------


class Failure(Exception):
    """A call of the host failed."""


def _answer(text: str) -> str:
    """What the model says, which depends on the call alone, so that a call made again has the same answer."""
    number = int(text.split()[-1])
    if text.startswith("flaky") and number % 3 == 0:
        raise Failure(f"no answer to {text}")
    return str((number * 7 + 1) % 11)


async def scripted_prompt(call: HostCall, services: HostServices) -> HostResult:
    """The host function ``prompt`` of the programs."""
    try:
        return HostResult(orjson.dumps(_answer(call.args["text"])))
    except Failure as failure:
        raise HostError(str(failure), name="ProviderError") from None


# -- Python's evaluation ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """A call of the host: its function, its text or milliseconds, and its answer or the text of its failure."""

    function: str
    argument: str | int
    answer: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A program with what it comes to: its output as JSON text or the text of its failure, and its calls in order.

    The calls of branches stand in the order of the branches.
    """

    source: str
    output: str | None
    error: str | None
    calls: Sequence[Said]


class _TooLong(BaseException):
    """No program catches it."""


class _Python:
    """The functions of the host in Python, which keep what they were called with."""

    def __init__(self, most_calls: int) -> None:
        self.calls: list[Said] = []
        self._most_calls = most_calls
        self._mutable: list[Any] = []

    def _called(self, call: Said) -> None:
        if len(self.calls) == self._most_calls:
            raise _TooLong
        self.calls.append(call)

    def prompt(self, text: str) -> str:
        try:
            said = _answer(text)
        except Failure as failure:
            self._called(Said("prompt", text, error=str(failure)))
            raise
        self._called(Said("prompt", text, said))
        return said

    def mutable(self, value: Any) -> Any:
        self._mutable.append(value)
        return value

    def parallel(self, functions: Sequence[Callable[[], Any]], concurrency: int = 0) -> list[Any]:
        """What a branch changes stays in it."""
        results = []
        for index, function in enumerate(functions):
            before = [value.copy() for value in self._mutable]
            try:
                results.append(function())
            except Failure as failure:
                raise Failure(f"branch {index}: {failure}") from None
            finally:
                for value, old in zip(self._mutable, before, strict=True):
                    value.clear()
                    (value.update if isinstance(value, dict) else value.extend)(old)
        return results

    def try_call(self, function: Callable[[], Any]) -> dict[str, Any]:
        try:
            return {"value": function(), "error": None}
        except Failure as failure:
            return {"value": None, "error": str(failure)}

    def retry(self, function: Callable[[], Any], max_attempts: int, initial_delay_ms: int) -> Any:
        for attempt in range(max_attempts - 1):
            try:
                return function()
            except Failure:
                self._called(Said("timer", initial_delay_ms * 2**attempt))
        return function()


def _evaluated(source: str, most_calls: int) -> Program | None:
    """``source`` run by Python; None when it makes more calls than that."""
    host = _Python(most_calls)
    names: dict[str, Any] = {name: getattr(host, name) for name in ("prompt", "parallel", "try_call", "retry")}
    exec(source, names)
    names["mutable"] = host.mutable
    try:
        output = json.dumps(names["agent"](), separators=(",", ":"))
    except Failure as failure:
        return Program(source, None, str(failure), host.calls)
    except _TooLong:
        return None
    return Program(source, output, None, host.calls)


def programs(seed: int, *, most_calls: int) -> Iterator[Program]:
    """Endless programs, the same for the same ``seed``, of at least ten and at most ``most_calls`` calls."""
    choice = random.Random(seed)
    while True:
        program = _evaluated(_Writer(choice).program(), most_calls)
        if program is not None and len(program.calls) >= 10:
            yield program
