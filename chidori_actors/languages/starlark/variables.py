"""Variables of Starlark in JavaScript: reading them, assigning to them, and the heads of loops, which assign."""

import ast

from .emit import Body, quote
from .names import Binding


def read(binding: Binding, node: ast.AST, body: Body) -> str:
    """The value of a variable; a failure when it has none yet."""
    if binding.kind == "builtin":
        body.module.builtins.add(binding.name)
        return binding.js
    if binding.parameter or binding in body.assigned:
        return binding.js
    if binding.kind == "global" and body.function is not None and not body.module.effects.runs_at_load:
        return binding.js  # functions run after the whole top level
    failure = f"{body.use('unassigned')}({quote(binding.name)}, {body.place(node)})"
    return f"({binding.js} === undefined ? {failure} : {binding.js})"


def assign(target: ast.expr, value: str, body: Body) -> str:
    """JavaScript that assigns ``value``, which is evaluated once."""
    match target:
        case ast.Name():
            binding = body.module.names.uses[target]
            body.assigned.add(binding)
            return f"{binding.js} = {value}; "
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            kept = body.temporary()
            unpacked = f"{kept} = {body.use('unpack')}({value}, {len(elements)}, {body.place(target)}); "
            return unpacked + "".join(assign(one, f"{kept}[{at}]", body) for at, one in enumerate(elements))
        case ast.Subscript():
            kept = body.temporary()
            container, index = body.expression(target.value), body.expression(target.slice)
            return f"{kept} = {value}; {body.use('setItem')}({container}, {index}, {kept}, {body.place(target)}); "
        case ast.Attribute():
            kept = body.temporary()
            container = body.expression(target.value)
            return f"{kept} = {value}; {body.use('setAttr')}({container}, {quote(target.attr)}, {body.place(target)}); "
        case _:
            raise body.module.source.fault(
                target, "there is nothing to assign to", "write: name = … or container[index] = …"
            )


def loop_head(iterable: ast.expr, node: ast.AST, body: Body) -> tuple[str, str, str]:
    """How a loop begins, the name of the loop, and JavaScript for the value of each turn."""
    body.loops += 1
    loop, turn = f"l{body.loops}", f"i{body.loops}"
    made = f"const {loop} = new {body.use('Loop')}({body.expression(iterable)}, {body.place(node)});"
    head = f"for (let {turn} = 0; {turn} < {loop}.length; {turn}++) {{ "
    value = f"({loop}.items === undefined ? {loop}.start + {turn} * {loop}.step : {loop}.items[{turn}])"
    return f"{made} try {{ {head}", loop, value
