"""Statements of Starlark as JavaScript. Every function keeps track of the variables that certainly have a value."""

import ast
from collections.abc import Sequence

from .emit import Body
from .expressions import condition, expression, operator
from .functions import asynchronous, captured, defaults, implementation, spec
from .variables import assign, loop_head, read

_IN_PLACE = {"add": "addTo", "bitOr": "orTo"}


def block(statements: Sequence[ast.stmt], body: Body) -> str:
    """JavaScript for statements, a line each."""
    return "\n".join(statement(one, body) for one in statements)


def statement(node: ast.stmt, body: Body) -> str:
    """JavaScript for one statement."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return ";"
        case ast.Expr(value=value):
            return f"{expression(value, body)};"
        case ast.Return(value=value):
            return f"return {'null' if value is None else expression(value, body)};"
        case ast.Assign(targets=[target], value=value):
            return _assignment(target, value, body)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return _assignment(target, value, body)
        case ast.AugAssign():
            return _changed(node, body)
        case ast.If():
            return _choice(node, body)
        case ast.For():
            return _loop(node, body)
        case ast.FunctionDef():
            return _definition(node, body)
        case ast.Break():
            return "break;"
        case ast.Continue():
            return "continue;"
        case _:
            raise AssertionError(f"check.py lets {type(node).__name__} pass")


def _assignment(target: ast.expr, value: ast.expr, body: Body) -> str:
    written = expression(value, body)
    if isinstance(target, ast.Name):
        return assign(target, written, body)
    kept = body.temporary()
    return f"{kept} = {written}; {assign(target, kept, body)}"


def _changed(node: ast.AugAssign, body: Body) -> str:
    name = operator(node.op)
    change = body.use(_IN_PLACE.get(name, name))
    match node.target:
        case ast.Name() as target:
            binding = body.module.names.uses[target]
            before = read(binding, target, body)
            written = f"{binding.js} = {change}({before}, {expression(node.value, body)}, {body.place(node)});"
            body.assigned.add(binding)
            return written
        case ast.Subscript() as target:
            container, index = body.temporary(), body.temporary()
            kept = f"{container} = {expression(target.value, body)}; {index} = {expression(target.slice, body)};"
            before = f"{body.use('item')}({container}, {index}, {body.place(target)})"
            after = f"{change}({before}, {expression(node.value, body)}, {body.place(node)})"
            return f"{kept} {body.use('setItem')}({container}, {index}, {after}, {body.place(node)});"
        case ast.Attribute() as target:
            return f"{expression(target, body)};"  # nothing has attributes that can be assigned: this fails
        case target:
            raise body.module.source.fault(target, "there is nothing to assign to", "write: name += …")


def _choice(node: ast.If, body: Body) -> str:
    test = condition(node.test, body)
    before = set(body.assigned)
    then = block(node.body, body)
    after_then, body.assigned = body.assigned, before
    if not node.orelse:
        return f"if ({test}) {{\n{then}\n}}"
    body.assigned = set(before)
    otherwise = block(node.orelse, body)
    body.assigned &= after_then
    return f"if ({test}) {{\n{then}\n}} else {{\n{otherwise}\n}}"


def _loop(node: ast.For, body: Body) -> str:
    begin, loop, value = loop_head(node.iter, node, body)
    before = set(body.assigned)
    code = assign(node.target, value, body) + block(node.body, body)
    body.assigned = before
    return f"{{ {begin}{code}\n}} }} finally {{ {loop}.end(); }} }}"


def _definition(node: ast.FunctionDef, body: Body) -> str:
    module = body.module
    binding = module.names.defined[node]
    values = [expression(default, body) for _, default in defaults(node)]
    # Direct calls find an implementation and its defaults under names of the module.
    direct = binding.kind == "global" and binding.only is node
    default_values = f"{binding.js}d" if direct else "D"
    code = f"{asynchronous(node, module)}{implementation(node, module, default_values)}"
    body.assigned.add(binding)
    made = f"{module.use('define')}({spec(node, module)}, "
    rest = f"{captured(node, body, default_values)});"
    if direct:
        kept = f"{default_values} = [{', '.join(values)}]; " if values else ""
        return f"{kept}{binding.js} = {made}{binding.js}f = {code}{rest}"
    if not values:
        return f"{binding.js} = {made}{code}{rest}"
    return f"{{ const D = [{', '.join(values)}]; {binding.js} = {made}{code}{rest} }}"
