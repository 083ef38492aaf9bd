"""Whether a tree is Starlark: everything that Python allows beyond it is refused, with what to write instead."""

import ast
from collections.abc import Iterable, Iterator

from .names import is_load
from .source import Source
from .tree import children

_STATEMENTS = (
    *(ast.FunctionDef, ast.Return, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.If, ast.Expr, ast.Pass),
    *(ast.Break, ast.Continue),
)
_EXPRESSIONS = (
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Lambda, ast.IfExp, ast.Dict, ast.ListComp, ast.DictComp, ast.Compare),
    *(ast.Call, ast.JoinedStr, ast.FormattedValue, ast.Constant, ast.Attribute, ast.Subscript, ast.Name, ast.List),
    *(ast.Tuple, ast.Slice, ast.Starred),
)
_REFUSED: dict[type[ast.AST], tuple[str, str | None]] = {
    ast.Set: ("there are no sets", "use a dict whose values are True, or a list"),
    ast.SetComp: ("there are no sets", "use a dict whose values are True, or a list"),
    ast.GeneratorExp: ("there are no generators", "write a list: [… for … in …]"),
    ast.NamedExpr: ("`:=` is not part of Starlark", "assign in a statement of its own"),
    ast.Match: ("`match` is not part of Starlark", "write if … elif … else"),
}
LOAD = 'write: load("./file.star", "name")'


def check(source: Source, tree: ast.Module) -> None:
    """Raises ``SourceError`` at the first thing that is not Starlark."""
    _check_body(source, tree.body, in_function=False, in_loop=False)


def check_entry(source: Source, function: ast.FunctionDef, whose: str) -> None:
    """See that every argument of a function can be given by its name, as the host gives them to agents and tools.

    Raises:
        SourceError: one cannot.
    """
    rest, positional = function.args.vararg, function.args.posonlyargs
    if positional:
        raise source.fault(positional[0], _no_name(positional[0], whose), "leave the `/` out")
    if rest is not None:
        raise source.fault(rest, _no_name(rest, whose), f"write **{rest.arg} for all that is given beside the others")


def _no_name(parameter: ast.arg, whose: str) -> str:
    return f"{whose} arguments have names, so `{parameter.arg}` cannot be given"


def _check_body(source: Source, body: Iterable[ast.stmt], *, in_function: bool, in_loop: bool) -> None:
    for statement in body:
        if not isinstance(statement, _STATEMENTS):
            raise _refused(source, statement)
        _check_placement(source, statement, in_function=in_function, in_loop=in_loop)
        _check_statement(source, statement)
        if is_load(statement) and not in_function:
            continue  # what it takes is compile.py's concern
        for child in _own_expressions(statement):
            _check_expression(source, child)
        if isinstance(statement, ast.FunctionDef):
            _check_body(source, statement.body, in_function=True, in_loop=False)
        elif isinstance(statement, ast.If | ast.For):
            in_body = in_loop or isinstance(statement, ast.For)
            _check_body(source, statement.body, in_function=in_function, in_loop=in_body)
            _check_body(source, statement.orelse, in_function=in_function, in_loop=in_loop)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    if isinstance(statement, ast.FunctionDef):
        yield from _defaults(statement.args)
    elif isinstance(statement, ast.AnnAssign):
        # Annotations are for readers: nothing checks them.
        yield statement.target
        if statement.value is not None:
            yield statement.value
    else:
        yield from (child for child in children(statement) if isinstance(child, ast.expr))


def _defaults(args: ast.arguments) -> Iterator[ast.expr]:
    yield from args.defaults
    yield from (default for default in args.kw_defaults if default is not None)


def _check_placement(source: Source, statement: ast.stmt, *, in_function: bool, in_loop: bool) -> None:
    match statement:
        case ast.For() if not in_function:
            raise source.fault(statement, "`for` outside of a function", "put it in a def, or write a comprehension")
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))) if not in_function:
            raise source.fault(statement, "`__name__` is not part of Starlark", "leave it out: chidori calls agent(…)")
        case ast.If() if not in_function:
            raise source.fault(statement, "`if` outside of a function", "put it in a def, or write: a if … else b")
        case ast.Return() if not in_function:
            raise source.fault(statement, "`return` outside of a function")
        case ast.Break() | ast.Continue() if not in_loop:
            word = "break" if isinstance(statement, ast.Break) else "continue"
            raise source.fault(statement, f"`{word}` outside of a loop")


def _check_statement(source: Source, statement: ast.stmt) -> None:
    match statement:
        case ast.Assign(targets=[_, second, *_]):
            raise source.fault(second, "one `=` in a statement only", "write a statement for each")
        case ast.Assign(targets=[target]) | ast.For(target=target):
            _check_target(source, target)
            if isinstance(statement, ast.For) and statement.orelse:
                raise source.fault(
                    _else_of(source, statement), "`else` of a loop is not part of Starlark", "set a flag before break"
                )
        case ast.AugAssign(target=ast.Tuple() | ast.List()):
            raise source.fault(statement, "what `+=` and its like change cannot be a list or tuple")
        case ast.AnnAssign(value=None):
            raise source.fault(statement, "the value is missing", "write: name = value")
        case ast.FunctionDef():
            if statement.decorator_list:
                raise source.fault(
                    statement.decorator_list[0], "there are no decorators", "write: f = decorate(f_plain)"
                )
        case _:
            pass


def _else_of(source: Source, loop: ast.For) -> tuple[int, int]:
    """Where the word stands: nothing but comments comes between a loop's body and it."""
    after = loop.body[-1].end_lineno or loop.lineno
    for number, line in enumerate(source.lines[after:], after + 1):
        if line.lstrip().startswith("else"):
            return number, len(line) - len(line.lstrip()) + 1
    return source.place(loop.orelse[0])


def _check_target(source: Source, target: ast.expr) -> None:
    match target:
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                _check_target(source, element)
            if not elements:
                raise source.fault(target, "there is nothing to assign to")
        case ast.Starred():
            raise source.fault(target, "`*` cannot stand where something is assigned", "use a slice: rest = items[1:]")
        case ast.Subscript(slice=ast.Slice()):
            raise source.fault(target, "a slice cannot be assigned to", "build a new list")
        case _:
            pass


def _check_expression(source: Source, expression: ast.AST) -> None:
    if isinstance(expression, ast.expr) and not isinstance(expression, _EXPRESSIONS):
        raise _refused(source, expression)
    match expression:
        case ast.Constant():
            _check_constant(source, expression)
        case ast.JoinedStr():
            _check_fields(source, expression)
            return
        case ast.Compare(ops=[_, _, *_]):
            raise source.fault(expression, "comparisons cannot be chained", "write: a < b and b < c")
        case ast.BinOp(op=ast.Pow()):
            raise source.fault(expression, "`**` is not part of Starlark", "multiply, or use a loop")
        case ast.BinOp(op=ast.MatMult()):
            raise source.fault(expression, "`@` is not part of Starlark")
        case ast.Dict(keys=keys, values=values) if None in keys:
            raise source.fault(values[keys.index(None)], "`**` cannot stand in a dict", "write: a | b")
        case ast.ListComp(generators=generators) | ast.DictComp(generators=generators):
            for generator in generators:
                _check_target(source, generator.target)
        case ast.Subscript(slice=ast.Tuple(elts=elements)) if any(isinstance(one, ast.Slice) for one in elements):
            raise source.fault(expression, "one index or slice only", "write: a[…][…]")
        case ast.Call(func=ast.Name(id="load")):
            raise source.fault(
                expression, "load() stands at the top of a file, outside of functions, as a statement of its own", LOAD
            )
        case ast.Call():
            _check_arguments(source, expression)
            return
        case ast.Starred():
            raise source.fault(expression, "`*` can stand in a call only", "write: a + b")
        case _:
            pass
    for child in children(expression):
        _check_expression(source, child)


def _check_constant(source: Source, constant: ast.Constant) -> None:
    if isinstance(constant.value, str) and not constant.value.isascii():
        try:
            constant.value.encode()
        except UnicodeEncodeError:
            raise source.fault(
                constant, "the string has half of a surrogate pair", r"write \U with eight digits"
            ) from None


def _check_fields(source: Source, string: ast.JoinedStr) -> None:
    for part in string.values:
        if not isinstance(part, ast.FormattedValue):
            _check_expression(source, part)
            continue
        if not isinstance(part.value, ast.Name):
            raise source.fault(
                string, "only names can stand in the braces of an f-string", "assign it to a name before"
            )
        if part.format_spec is not None:
            raise source.fault(string, "an f-string has no format after `:`", 'use "%d" % x or a method of strings')
        if part.conversion not in (-1, ord("r"), ord("s")):
            raise source.fault(string, "the conversion in an f-string is !r or !s")


def _check_arguments(source: Source, call: ast.Call) -> None:
    _check_expression(source, call.func)
    stars = [argument for argument in call.args if isinstance(argument, ast.Starred)]
    rests = [keyword for keyword in call.keywords if keyword.arg is None]
    for extra in (*stars[1:], *rests[1:]):
        raise source.fault(extra, f"only one `{'*' if isinstance(extra, ast.Starred) else '**'}` in a call")
    ends = [*map(_start, stars), *map(_start, rests)]
    named = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    for index, keyword in enumerate(call.keywords):
        if keyword.arg is not None and keyword.arg in named[:index]:
            raise source.fault(keyword, f"the argument `{keyword.arg}` is there twice")
    for argument in call.args:
        if not isinstance(argument, ast.Starred) and ends and _start(argument) > min(ends):
            raise source.fault(argument, "positional arguments come before `*` and `**`")
        _check_expression(source, argument.value if isinstance(argument, ast.Starred) else argument)
    for keyword in call.keywords:
        if keyword.arg is not None and ends and _start(keyword) > min(ends):
            raise source.fault(keyword, "named arguments come before `*` and `**`")
        _check_expression(source, keyword.value)
    if rests and stars and _start(stars[0]) > _start(rests[0]):
        raise source.fault(stars[0], "`*` comes before `**`")


def _start(node: ast.expr | ast.keyword) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _refused(source: Source, node: ast.AST) -> Exception:
    message, hint = _REFUSED.get(type(node), (f"{type(node).__name__.lower()} is not part of Starlark", None))
    return source.fault(node, message, hint)
