"""Expressions whose value is known without running the file."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from .names import Names

Constants = Mapping[str, Any]
"""Names and their values: None, or a bool, int, float or string."""

_MOST_BITS = 10_000
"""Of an int: more is no constant that somebody means, and nothing that a compiler should calculate."""
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
}


class NotConstant(ValueError):
    """The value of an expression is known to the running file only."""


def constants(tree: ast.Module, names: Names) -> Constants:
    """The globals that are bound once, to a constant that nothing can change."""
    found: dict[str, Any] = {}
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if names.globals[name].assignments == 1:
                try:
                    known = fold(value, found)
                except NotConstant:
                    continue
                if not isinstance(known, list | dict):
                    found[name] = known
            case _:
                pass
    return found


def fold(node: ast.expr, known: Constants) -> Any:
    """The value of an expression of literals, ``known`` names, and ``+ - * // <<`` of ints; a tuple's is a list.

    Raises:
        NotConstant: it is another one, or fails.
    """
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str()):
            return node.value
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [fold(one, known) for one in elements]
        case ast.Dict(keys=keys, values=values):
            return {_key(key, known): fold(value, known) for key, value in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = fold(operand, known)
            if type(number) in (int, float):
                return -number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _calculated(_OPERATORS[type(op)], fold(left, known), fold(right, known))
        case _:
            pass
    raise NotConstant


def _key(node: ast.expr | None, known: Constants) -> str:
    key = None if node is None else fold(node, known)
    if not isinstance(key, str):
        raise NotConstant
    return key


def _calculated(calculate: Callable[[int, int], int], left: Any, right: Any) -> int:
    # True is an int to Python only.
    if type(left) is not int or type(right) is not int or max(left.bit_length(), right.bit_length()) > _MOST_BITS:
        raise NotConstant
    if calculate is operator.lshift and not 0 <= right <= _MOST_BITS:
        raise NotConstant
    if calculate is operator.floordiv and right == 0:
        raise NotConstant
    return calculate(left, right)
