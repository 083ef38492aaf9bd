"""Expressions of Starlark as JavaScript.

Operations are calls of the runtime. Their last argument sets ``p``, the place that the stack of an error tells: it is
evaluated after the operands, so it holds while the operation runs.
"""

import ast
from collections.abc import Callable

from .calls import call
from .emit import Body, quote
from .functions import lambda_value
from .names import Comprehension
from .variables import assign, loop_head, read

_SAFE = 2**53 - 1
_COMPREHENSION_STACK = 35
"""What a comprehension needs of the engine's stack, in 100 bytes (measured)."""
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.FloorDiv: "floorDiv",
    ast.Mod: "mod",
    ast.BitAnd: "bitAnd",
    ast.BitOr: "bitOr",
    ast.BitXor: "bitXor",
    ast.LShift: "shiftLeft",
    ast.RShift: "shiftRight",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.In: "isIn",
    ast.NotIn: "notIn",
}
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}


def operator(op: ast.operator) -> str:
    """The runtime's function for an operator."""
    return _BINARY[type(op)]


def expression(node: ast.expr, body: Body) -> str:
    """JavaScript whose value is that of ``node``."""
    write = _WRITERS[type(node)]
    return write(node, body)


def condition(node: ast.expr, body: Body) -> str:
    """JavaScript that is true or false as ``node`` is."""
    match node:
        case ast.Compare():
            return _compare(node, body)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"!{condition(operand, body)}"
        case ast.BoolOp(op=op, values=values):
            sign = " && " if isinstance(op, ast.And) else " || "
            return f"({sign.join(condition(value, body) for value in values)})"
        case ast.Constant(value=value) if isinstance(value, bool):
            return "true" if value else "false"
        case _:
            return f"{body.use('truth')}({expression(node, body)})"


def _name(node: ast.Name, body: Body) -> str:
    return read(body.module.names.uses[node], node, body)


def _constant(node: ast.Constant, body: Body) -> str:
    match node.value:
        case None:
            return "null"
        case bool(value):
            return "true" if value else "false"
        case int(value):
            # In base 16 for those of any length: Python writes no more than 4300 decimal digits.
            return str(value) if value <= _SAFE else f"{value:#x}n"
        case float(value):
            digits = repr(value) if value < float("inf") else "Infinity"
            return body.module.constant("F", f"new {body.use('Float')}({digits})")
        case str(value):
            return quote(value)
        case other:
            raise AssertionError(f"check.py lets {other!r} pass")


def _string(node: ast.JoinedStr, body: Body) -> str:
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            write = body.use("repr" if part.conversion == ord("r") else "str")
            parts.append(f"{write}({expression(part.value, body)})")
        else:
            parts.append(expression(part, body))
    return "(" + " + ".join(['""', *parts]) + ")"


def _binary(node: ast.BinOp, body: Body) -> str:
    return _operation(operator(node.op), node, body, node.left, node.right)


def _compare(node: ast.Compare, body: Body) -> str:
    return _operation(_COMPARISONS[type(node.ops[0])], node, body, node.left, node.comparators[0])


def _unary(node: ast.UnaryOp, body: Body) -> str:
    match node:
        case ast.UnaryOp(op=ast.Not()):
            return condition(node, body)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))) if value and value is not True:
            return f"({-value})" if value <= _SAFE else f"({-value}n)"
        case _:
            return _operation(_UNARY[type(node.op)], node, body, node.operand)


def _operation(name: str, node: ast.expr, body: Body, *operands: ast.expr) -> str:
    values = [expression(operand, body) for operand in operands]
    return f"{body.use(name)}({', '.join([*values, body.place(node)])})"


def _boolean(node: ast.BoolOp, body: Body) -> str:
    written = expression(node.values[-1], body)
    for value in reversed(node.values[:-1]):
        kept = body.temporary()
        test = f"{body.use('truth')}({kept} = {expression(value, body)})"
        written = f"({test} ? {written} : {kept})" if isinstance(node.op, ast.And) else f"({test} ? {kept} : {written})"
    return written


def _choice(node: ast.IfExp, body: Body) -> str:
    test = condition(node.test, body)
    return f"({test} ? {expression(node.body, body)} : {expression(node.orelse, body)})"


def _list(node: ast.List, body: Body) -> str:
    return f"new {body.use('List')}([{_all(node.elts, body)}])"


def _tuple(node: ast.Tuple, body: Body) -> str:
    return f"new {body.use('Tuple')}([{_all(node.elts, body)}])"


def _all(nodes: list[ast.expr], body: Body) -> str:
    return ", ".join(expression(node, body) for node in nodes)


def _dict(node: ast.Dict, body: Body) -> str:
    if not node.keys:
        return f"new {body.use('Dict')}()"
    parts: list[str] = []
    keys = [key for key in node.keys if key is not None]
    for key, value in zip(keys, node.values, strict=True):
        parts += (expression(key, body), expression(value, body))
    # The runtime counts on from the first key's place to that of the one which is wrong.
    first, *_ = [body.place_number(key) for key in keys]
    return f"{body.use('dict')}([{', '.join(parts)}], p = {first})"


def _attribute(node: ast.Attribute, body: Body) -> str:
    return f"{body.use('attr')}({expression(node.value, body)}, {quote(node.attr)}, {body.place(node)})"


def _subscript(node: ast.Subscript, body: Body) -> str:
    container = expression(node.value, body)
    if not isinstance(node.slice, ast.Slice):
        return f"{body.use('item')}({container}, {expression(node.slice, body)}, {body.place(node)})"
    bounds = (node.slice.lower, node.slice.upper, node.slice.step)
    written = ["null" if bound is None else expression(bound, body) for bound in bounds]
    return f"{body.use('slice')}({container}, {', '.join(written)}, {body.place(node)})"


def _comprehension(node: Comprehension, body: Body) -> str:
    waited, body.waits = body.waits, False
    body.stack = max(body.stack, _COMPREHENSION_STACK)
    if isinstance(node, ast.ListComp):
        made, wrap = "[]", f"new {body.use('List')}(r)"
    else:
        made, wrap = f"new {body.use('Dict')}()", "r"
    opened: list[str] = []
    closed: list[str] = []
    for generator in node.generators:
        begin, end = _clause(generator, body)
        opened.append(begin)
        closed.append(end)
    if isinstance(node, ast.ListComp):
        collect = f"r[r.length] = {expression(node.elt, body)};"
    else:
        key, value = expression(node.key, body), expression(node.value, body)
        collect = f"{body.use('put')}(r, {key}, {value}, {body.place(node.key)});"
    variables = "".join(f"let {binding.js}; " for binding in body.module.names.targets[node])
    loops = f"{' '.join(opened)} {collect} {' '.join(reversed(closed))}"
    code = f"{{ {variables}const r = {made}; {loops} return {wrap}; }}"
    waits, body.waits = body.waits, waited or body.waits
    return f"(await (async () => {code})())" if waits else f"(() => {code})()"


def _clause(generator: ast.comprehension, body: Body) -> tuple[str, str]:
    """How a loop of a comprehension begins and ends."""
    begin, loop, value = loop_head(generator.iter, generator.iter, body)
    begin += assign(generator.target, value, body)
    end = "} } finally { " + f"{loop}.end(); }}"
    for test in generator.ifs:
        begin += f"if ({condition(test, body)}) {{ "
        end = "} " + end
    return begin, end


_WRITERS: dict[type[ast.expr], Callable[..., str]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.JoinedStr: _string,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.IfExp: _choice,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Dict: _dict,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.ListComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Call: call,
    ast.Lambda: lambda_value,
}
