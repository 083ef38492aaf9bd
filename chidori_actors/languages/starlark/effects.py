"""Which functions may wait for the host, and which may call themselves.

What certainly does not wait is compiled to plain JavaScript functions: awaiting each call would cost more than the
calls themselves.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .builtins import HOST
from .names import Function, Names, is_load
from .tree import children

_CALLBACKS = frozenset(("sorted", "min", "max"))
"""Built-in functions that call the function given as ``key``."""
_CALLING = frozenset(("parallel", "try_call", "retry"))
"""Functions of the host that call what they are given."""


@dataclass(frozen=True, slots=True)
class Callee:
    """What a call calls. ``unknown`` may be anything, ``key`` a built-in function that calls another one."""

    kind: Literal["method", "builtin", "key", "host", "defined", "unknown"]
    function: Function | None = None
    """Of ``defined`` the function, of ``key`` that which is called, if it is known."""


@dataclass(slots=True)
class Effects:
    """``waiting`` are functions that may wait, ``recursive`` those that may call themselves in the end."""

    waiting: set[Function] = field(default_factory=set)
    recursive: set[Function] = field(default_factory=set)
    runs_at_load: bool = False
    """Whether functions of the module may run while it is loaded."""


def callee_of(call: ast.Call, names: Names) -> Callee:
    """What ``call`` calls, as far as names say."""
    if isinstance(call.func, ast.Attribute):
        return Callee("method")  # the only attributes are methods, and none of them calls a function
    if isinstance(call.func, ast.Lambda):
        return Callee("unknown", call.func)
    if not isinstance(call.func, ast.Name):
        return Callee("unknown")
    binding = names.uses[call.func]
    if binding.kind != "builtin":
        only = binding.only
        direct = only is not None and binding.kind == "global"
        return Callee("defined" if direct else "unknown", only)
    if binding.name in HOST:
        return Callee("unknown" if binding.name in _CALLING else "host")
    if binding.name not in _CALLBACKS or not any(keyword.arg in ("key", None) for keyword in call.keywords):
        return Callee("builtin")
    return _key_callee(call, names)


def _key_callee(call: ast.Call, names: Names) -> Callee:
    key = next((keyword.value for keyword in call.keywords if keyword.arg == "key"), None)
    if isinstance(key, ast.Lambda) and all(keyword.arg is not None for keyword in call.keywords):
        return Callee("key", key)
    if isinstance(key, ast.Name):
        binding = names.uses[key]
        if binding.kind == "builtin" and binding.name not in HOST and binding.name not in _CALLBACKS:
            return Callee("builtin")
        if binding.only is not None:
            return Callee("key", binding.only)
    return Callee("unknown")


def find_effects(tree: ast.Module, names: Names) -> Effects:
    """What the functions of a module do, whatever they are given."""
    effects = Effects()
    calls = {function: [callee_of(call, names) for call in _calls(_code(function))] for function in names.parameters}
    effects.waiting = {function for function, called in calls.items() if any(_always_waits(one) for one in called)}
    changed = True
    while changed:
        more = {
            function
            for function, called in calls.items()
            if function not in effects.waiting and any(one.function in effects.waiting for one in called)
        }
        effects.waiting |= more
        changed = bool(more)
    effects.recursive = _recursive(calls)
    at_load = [callee_of(call, names) for call in _calls(_top_level(tree))]
    effects.runs_at_load = any(one.kind not in ("method", "builtin", "host") for one in at_load)
    return effects


def may_wait(callee: Callee, effects: Effects) -> bool:
    """Whether a call may give a promise."""
    return _always_waits(callee) or callee.function in effects.waiting


def _always_waits(callee: Callee) -> bool:
    return callee.kind == "host" or (callee.kind == "unknown" and callee.function is None)


def _recursive(calls: Mapping[Function, list[Callee]]) -> set[Function]:
    found = set[Function]()
    for function in calls:
        seen = set[Function]()
        todo = [function]
        while todo and function not in found:
            for callee in calls[todo.pop()]:
                # A function that is not known can be any one, this one too.
                if callee.kind in ("unknown", "host") or callee.function is function:
                    found.add(function)
                elif callee.function is not None and callee.function not in seen:
                    seen.add(callee.function)
                    todo.append(callee.function)
    return found


def _code(function: Function) -> list[ast.AST]:
    return [function.body] if isinstance(function, ast.Lambda) else list(function.body)


def _top_level(tree: ast.Module) -> list[ast.AST]:
    return [statement for statement in tree.body if not is_load(statement)]


def _calls(code: list[ast.AST]) -> Iterator[ast.Call]:
    """The calls in ``code``, without those in the bodies of functions inside of it."""
    todo = list(code)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            yield node
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            todo += [default for default in (*node.args.defaults, *node.args.kw_defaults) if default is not None]
        elif isinstance(node, ast.AnnAssign):
            todo += [part for part in (node.target, node.value) if part is not None]
        else:
            todo += children(node)
