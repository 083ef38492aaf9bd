"""``def`` and ``lambda`` as JavaScript: an implementation that takes bound arguments, and the value around it."""

import ast

from .emit import Body, ModuleCode, quote
from .names import Function, parameters

# What a call of a function needs of the engine's stack, in 100 bytes (measured).
_STACK, _ASYNC_STACK = 10, 24


def kinds(function: Function) -> str:
    """A letter for each parameter, as the runtime's ``specOf`` has them."""
    args = function.args
    positional = [*(["p"] * len(args.posonlyargs)), *(["e"] * len(args.args))]
    for index in range(len(positional) - len(args.defaults), len(positional)):
        positional[index] = positional[index].upper()
    star = "*" if args.vararg else ""
    named = "".join("n" if default is None else "N" for default in args.kw_defaults)
    return "".join(positional) + star + named + ("k" if args.kwarg else "")


def defaults(function: Function) -> list[tuple[int, ast.expr]]:
    """The default values, each with the index of its parameter."""
    args = function.args
    positional = len(args.posonlyargs) + len(args.args)
    first = positional - len(args.defaults)
    found = [(first + index, default) for index, default in enumerate(args.defaults)]
    first_named = positional + (1 if args.vararg else 0)
    return found + [
        (first_named + index, default) for index, default in enumerate(args.kw_defaults) if default is not None
    ]


def function_name(function: Function) -> str:
    return "lambda" if isinstance(function, ast.Lambda) else function.name


def spec(function: Function, module: ModuleCode) -> str:
    """A constant that says what parameters a function has."""
    names = ", ".join(quote(parameter.arg) for parameter in parameters(function))
    name = quote(f"{module.source.path}.{function_name(function)}")
    return module.constant("P", f"{module.use('specOf')}({name}, [{names}], {quote(kinds(function))})")


def implementation(function: Function, module: ModuleCode, default_values: str) -> str:
    """The parameters and the body of the JavaScript function. ``default_values`` is the array that has them."""
    module.function_names.append(function_name(function))
    body = Body(module, function, len(module.function_names) - 1)
    first = body.place_number(function)
    body.catches = False
    body.assigned |= set(module.names.parameters[function])
    if isinstance(function, ast.Lambda):
        code = f"return {body.expression(function.body)};"
    else:
        code = body.block(function.body) + " return null;"
    names = [binding.js for binding in module.names.parameters[function]]
    filled = "".join(
        f"if ({names[index]} === undefined) {names[index]} = {default_values}[{place}]; "
        for place, (index, _) in enumerate(defaults(function))
    )
    return f"({', '.join(names)}) => {{ {_declared(function, body, first)}{filled}{_guarded(function, code, body)} }}"


def _declared(function: Function, body: Body, first: int) -> str:
    names = [binding.js for binding in body.module.names.locals[function]]
    names += [f"t{number + 1}" for number in range(body.temporaries)]
    if body.waits:
        names.append("t")
    if body.catches or function in body.module.effects.recursive:
        names.append(f"p = {first}")
    return f"let {', '.join(names)}; " if names else ""


def _guarded(function: Function, code: str, body: Body) -> str:
    module = body.module
    counted = function in module.effects.recursive
    if not counted and not body.catches:
        return code
    enter = leave = ""
    if counted:
        size = body.stack + (_ASYNC_STACK if function in module.effects.waiting else _STACK)
        enter = f"if ((depth.now += {size}) > depth.most) {module.use('tooDeep')}(); "
        leave = f" finally {{ {module.use('depth')}.now -= {size}; }}"
    return f"try {{ {enter}{code} }} catch (e) {{ throw {module.use('trace')}(e, S, p); }}{leave}"


def captured(function: Function, body: Body, default_values: str) -> str:
    """A function that gives what freezes with ``function``, as an argument; empty when there is nothing."""
    module = body.module
    names = [binding.js for binding in module.names.captured[function]] if module.effects.runs_at_load else []
    if defaults(function):
        names.append(f"...{default_values}")
    return f", () => [{', '.join(names)}]" if names else ""


def asynchronous(function: Function, module: ModuleCode) -> str:
    return "async " if function in module.effects.waiting else ""


def lambda_value(node: ast.Lambda, body: Body) -> str:
    """JavaScript for the value of a lambda."""

    module = body.module
    values = [body.expression(default) for _, default in defaults(node)]
    code = f"{asynchronous(node, module)}{implementation(node, module, 'D')}"
    made = f"{module.use('define')}({spec(node, module)}, {code}{captured(node, body, 'D')})"
    return f"((D) => {made})([{', '.join(values)}])" if values else made
