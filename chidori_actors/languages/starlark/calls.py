"""Calls of Starlark as JavaScript: straight to the function where it is known, through the runtime otherwise."""

import ast

from .effects import Callee, callee_of, may_wait
from .emit import Body, quote
from .names import Function, parameters
from .variables import read

_STRAIGHT = {"len": "lengthIn", "str": "str", "repr": "repr", "type": "typeOf", "bool": "truth"}
"""Built-in functions of one argument that are functions of the runtime."""
_RUNTIME_STACK = 50
"""What the runtime's functions between two functions need of the engine's stack, in 100 bytes (measured)."""


def call(node: ast.Call, body: Body) -> str:
    """JavaScript for the value of a call; what may be a promise is awaited."""

    module = body.module
    callee = callee_of(node, module.names)
    spread = any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords)
    if callee.kind == "method" and not spread:
        return _method(node, body)
    if callee.kind == "defined" and isinstance(callee.function, ast.FunctionDef):
        arguments = _bound(node, callee.function)
        if arguments is not None:
            return _direct(node, callee.function, arguments, body)
    if callee.kind == "builtin" and isinstance(node.func, ast.Name) and not spread:
        straight = _STRAIGHT.get(node.func.id)
        if straight is not None and len(node.args) == 1 and not node.keywords:
            return f"{body.use(straight)}({body.expression(node.args[0])}, {body.place(node)})"
    return _through_runtime(node, callee, body)


def _method(node: ast.Call, body: Body) -> str:

    assert isinstance(node.func, ast.Attribute)
    value = body.expression(node.func.value)
    args, named = _arguments(node, body)
    return f"{body.use('method')}({value}, {quote(node.func.attr)}, {args}, {named}, {body.place(node)})"


def _arguments(node: ast.Call, body: Body) -> tuple[str, str]:
    """Positional arguments as an array; names and values of the named ones, each an array or null."""

    args = ", ".join(body.expression(one) for one in node.args if not isinstance(one, ast.Starred))
    given = [(one.arg, one.value) for one in node.keywords if one.arg is not None]
    if not given:
        return f"[{args}]", "null, null"
    names = ", ".join(quote(name) for name, _ in given)
    values = ", ".join(body.expression(value) for _, value in given)
    return f"[{args}]", f"[{names}], [{values}]"


def _through_runtime(node: ast.Call, callee: Callee, body: Body) -> str:

    if callee.kind != "builtin":
        body.stack = max(body.stack, _RUNTIME_STACK)
    function = body.expression(node.func)
    args, named = _arguments(node, body)
    star = next((one.value for one in node.args if isinstance(one, ast.Starred)), None)
    rest = next((one.value for one in node.keywords if one.arg is None), None)
    if star is None and rest is None:
        written = f"{body.use('call')}({function}, {args}, {named}, S, {body.place(node)})"
    else:
        extra = ["undefined" if one is None else body.expression(one) for one in (star, rest)]
        written = f"{body.use('callWith')}({function}, {args}, {named}, {', '.join(extra)}, S, {body.place(node)})"
    if not may_wait(callee, body.module.effects):
        return written
    body.waits = True
    return f"((t = {written}) instanceof {body.use('Promise')} ? await t : t)"


def _direct(node: ast.Call, function: ast.FunctionDef, arguments: list[ast.expr | None], body: Body) -> str:

    assert isinstance(node.func, ast.Name)
    binding = body.module.names.uses[node.func]
    values = ["undefined" if one is None else body.expression(one) for one in arguments]
    written = f"{binding.js}f({', '.join([*values, body.place(node)])})"
    if body.module.effects.runs_at_load and binding not in body.assigned:
        written = f"({read(binding, node.func, body)}, {written})"
    if function not in body.module.effects.waiting:
        return written
    body.waits = True
    return f"(await {written})"


def _bound(node: ast.Call, function: Function) -> list[ast.expr | None] | None:
    """The argument of each parameter, None for a default; None when this cannot be said or is an error."""
    args = function.args
    if args.vararg or args.kwarg or any(isinstance(one, ast.Starred) for one in node.args):
        return None
    names = [parameter.arg for parameter in parameters(function)]
    positional = len(args.posonlyargs) + len(args.args)
    if len(node.args) > positional:
        return None
    bound: list[ast.expr | None] = [*node.args, *[None] * (len(names) - len(node.args))]
    last = len(node.args) - 1
    for keyword in node.keywords:
        # JavaScript evaluates the arguments in the order of the parameters.
        if keyword.arg not in names[last + 1 :] or names.index(keyword.arg) < len(args.posonlyargs):
            return None
        last = names.index(keyword.arg)
        bound[last] = keyword.value
    needed = positional - len(args.defaults)
    required = [*range(needed), *(positional + i for i, one in enumerate(args.kw_defaults) if one is None)]
    return None if any(bound[index] is None for index in required) else bound
