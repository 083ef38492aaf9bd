"""What each name of a module means: resolved before anything runs, as Starlark has it."""

import ast
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .source import Source
from .tree import children

Function = ast.FunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.DictComp


@dataclass(eq=False, slots=True)
class Binding:
    """One variable. ``js`` is its name in JavaScript, for a global also the name that it is exported under."""

    name: str
    js: str
    kind: Literal["builtin", "global", "local"]
    parameter: bool = False
    assignments: int = 0
    definition: ast.FunctionDef | None = None
    """The last ``def`` of this name."""

    @property
    def only(self) -> ast.FunctionDef | None:
        """The function that this name always means, when there is one."""
        return self.definition if self.assignments == 1 and not self.parameter else None


@dataclass(slots=True)
class Names:
    """What was resolved. ``uses`` has every name that is read or assigned, ``defined`` the variable of each ``def``."""

    globals: dict[str, Binding] = field(default_factory=dict)
    uses: dict[ast.Name, Binding] = field(default_factory=dict)
    defined: dict[ast.FunctionDef, Binding] = field(default_factory=dict)
    loaded: dict[str, Binding] = field(default_factory=dict)
    parameters: dict[Function, list[Binding]] = field(default_factory=dict)
    """In the order of the compiled function's parameters."""
    locals: dict[Function, list[Binding]] = field(default_factory=dict)
    """Variables besides the parameters."""
    targets: dict[Comprehension, list[Binding]] = field(default_factory=dict)
    captured: dict[Function, list[Binding]] = field(default_factory=dict)
    """Variables of enclosing functions and comprehensions that a function uses."""


@dataclass(slots=True)
class _Scope:
    parent: "_Scope | None"
    bindings: Mapping[str, Binding]
    owner: Function | None
    """The function whose code this is; None at the top level."""


def resolve(source: Source, tree: ast.Module, builtins: Iterable[str]) -> Names:
    """Finds what every name means.

    Raises:
        SourceError: a name that nothing defines, or a parameter that is there twice.
    """
    return _Resolver(source, builtins).run(tree)


def parameters(function: Function) -> list[ast.arg]:
    """All parameters in the order of the compiled function: positional, ``*``, named only, ``**``."""
    args = function.args
    star = [args.vararg] if args.vararg else []
    rest = [args.kwarg] if args.kwarg else []
    return [*args.posonlyargs, *args.args, *star, *args.kwonlyargs, *rest]


def is_load(statement: ast.stmt) -> bool:
    """Whether it is ``load("./file.star", …)``."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="load"))):
            return True
        case _:
            return False


class _Resolver:
    def __init__(self, source: Source, builtins: Iterable[str]) -> None:
        self._source = source
        self._builtins = {name: Binding(name, f"{name}$b", "builtin") for name in builtins}
        self._names = Names()
        self._numbered = 0

    def run(self, tree: ast.Module) -> Names:
        names = self._names
        for name, node in _assigned(tree.body):
            binding = names.globals.setdefault(name, Binding(name, f"{name}$", "global"))
            self._assign(binding, node)
        for statement in tree.body:
            if is_load(statement):
                self._declare_loaded(statement)
        scope = _Scope(_Scope(None, self._builtins, None), names.globals, None)
        self._statements(tree.body, scope)
        return names

    def _declare_loaded(self, statement: ast.stmt) -> None:
        assert isinstance(statement, ast.Expr)
        assert isinstance(statement.value, ast.Call)
        call = statement.value
        for argument in call.args[1:]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                self._load(argument.value, argument)
        for keyword in call.keywords:
            if keyword.arg is not None:
                self._load(keyword.arg, keyword)

    def _load(self, name: str, node: ast.AST) -> None:
        if name in self._names.globals:
            raise self._source.fault(
                node, f"`{name}` is loaded and defined here too", f'write: load("…", own_{name} = "{name}")'
            )
        # Another module's function can be anything.
        self._names.globals[name] = self._names.loaded[name] = Binding(name, f"{name}$", "global", assignments=2)

    def _assign(self, binding: Binding, node: ast.AST) -> None:
        binding.assignments += 1
        if isinstance(node, ast.FunctionDef):
            binding.definition = node
            self._names.defined[node] = binding
        elif isinstance(node, ast.Name):
            self._names.uses[node] = binding

    def _statements(self, body: Iterable[ast.stmt], scope: _Scope) -> None:
        for statement in body:
            if is_load(statement) and scope.owner is None:
                continue
            if isinstance(statement, ast.FunctionDef):
                self._function(statement, statement.body, scope)
                continue
            for child in children(statement):
                if isinstance(child, ast.stmt):
                    self._statements([child], scope)
                elif not (isinstance(statement, ast.AnnAssign) and child is statement.annotation):
                    self._expression(child, scope)

    def _function(self, function: Function, body: list[ast.stmt], outer: _Scope) -> None:
        args = function.args
        for default in (*args.defaults, *args.kw_defaults):
            if default is not None:
                self._expression(default, outer)
        bindings: dict[str, Binding] = {}
        for parameter in parameters(function):
            if parameter.arg in bindings:
                raise self._source.fault(parameter, f"the parameter `{parameter.arg}` is there twice")
            bindings[parameter.arg] = Binding(parameter.arg, f"{parameter.arg}$", "local", parameter=True)
        self._names.parameters[function] = list(bindings.values())
        for name, node in _assigned(body):
            self._assign(bindings.setdefault(name, Binding(name, f"{name}$", "local")), node)
        self._names.locals[function] = [one for one in bindings.values() if not one.parameter]
        self._names.captured[function] = []
        scope = _Scope(outer, bindings, function)
        self._statements(body, scope)
        if isinstance(function, ast.Lambda):
            self._expression(function.body, scope)

    def _expression(self, node: ast.AST, scope: _Scope) -> None:
        match node:
            case ast.Name():
                if node not in self._names.uses:
                    self._names.uses[node] = self._find(node, scope)
            case ast.Lambda():
                self._function(node, [], scope)
            case ast.ListComp() | ast.DictComp():
                self._comprehension(node, scope)
            case _:
                for child in children(node):
                    self._expression(child, scope)

    def _comprehension(self, node: Comprehension, outer: _Scope) -> None:
        self._expression(node.generators[0].iter, outer)
        self._numbered += 1
        bindings: dict[str, Binding] = {}
        for generator in node.generators:
            for name, target in _target_names(generator.target):
                # Its code stands in that of the function around it: a name of its own keeps the two apart.
                self._assign(bindings.setdefault(name, Binding(name, f"{name}${self._numbered}", "local")), target)
        self._names.targets[node] = list(bindings.values())
        scope = _Scope(outer, bindings, outer.owner)
        for index, generator in enumerate(node.generators):
            self._expression(generator.target, scope)
            if index:
                self._expression(generator.iter, scope)
            for condition in generator.ifs:
                self._expression(condition, scope)
        values = [node.elt] if isinstance(node, ast.ListComp) else [node.key, node.value]
        for value in values:
            self._expression(value, scope)

    def _find(self, node: ast.Name, scope: _Scope) -> Binding:
        looked: _Scope | None = scope
        crossed: list[Function] = []
        while looked is not None:
            found = looked.bindings.get(node.id)
            if found is not None:
                if found.kind == "builtin" and found.name == "config" and scope.owner is not None:
                    message = "config() is for the top of the file, outside of functions"
                    raise self._source.fault(node, message, "move it before the functions")
                self._capture(found, [one for one in crossed if one is not looked.owner])
                return found
            if looked.owner is not None and looked.owner not in crossed:
                crossed.append(looked.owner)
            looked = looked.parent
        hint = _FOREIGN.get(node.id)
        near = "" if hint else self._near(node.id, scope)
        raise self._source.fault(node, f"Variable `{node.id}` not found{near}", hint)

    def _capture(self, binding: Binding, functions: list[Function]) -> None:
        for function in functions:
            if binding.kind == "local" and binding not in self._names.captured[function]:
                self._names.captured[function].append(binding)

    def _near(self, name: str, scope: _Scope | None) -> str:
        known: list[str] = []
        while scope is not None:
            known += scope.bindings
            scope = scope.parent
        near = difflib.get_close_matches(name, known, n=1)
        return f", did you mean `{near[0]}`?" if near else ""


_FOREIGN = {
    "set": "use a dict whose values are True, or a list",
    "open": "agents read no files; http(…) and tool(…) reach the world",
    "isinstance": 'write: type(x) == "list"',
    "sum": "add up in a loop",
    "map": "write a comprehension: [f(x) for x in items]",
    "filter": "write a comprehension: [x for x in items if f(x)]",
    "round": "int(x + 0.5) rounds what is not negative",
    "chidori": "the functions of the host have no prefix: prompt(…), tool(…)",
    "pow": "multiply, or use a loop",
    "divmod": "write: (a // b, a % b)",
    "format": 'write: "{} of {}".format(a, b), or "%d" % x',
    "iter": "lists, tuples, dicts and ranges can be looped over as they are",
    "next": "take items by their index, or use a loop",
    "callable": 'write: type(x) == "function"',
    "struct": "use a dict",
    "object": "use a dict",
    "self": "there are no classes: use dicts and functions",
    "super": "there are no classes: use dicts and functions",
    "Exception": 'write: fail("…")',
    "ValueError": 'write: fail("…")',
    "json": 'http(…) and prompt(…, format = "json") give values; template("{{ x | tojson }}", x = x) writes JSON',
    "os": 'env("NAME") reads environment variables',
    "requests": "write: http(METHOD, URL, …)",
    "load": "load(…) is a statement, and no value",
    **dict.fromkeys(("null", "nil", "undefined", "none"), "write None"),
    "true": "write True",
    "false": "write False",
}


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """The names that statements assign, without those of functions inside of them."""
    for statement in body:
        match statement:
            case ast.FunctionDef():
                yield statement.name, statement
            case ast.Assign():
                for target in statement.targets:
                    yield from _target_names(target)
            case ast.AugAssign() | ast.AnnAssign():
                yield from _target_names(statement.target)
            case ast.For():
                yield from _target_names(statement.target)
                yield from _assigned(statement.body)
            case ast.If():
                yield from _assigned(statement.body)
                yield from _assigned(statement.orelse)
            case _:
                pass


def _target_names(target: ast.expr) -> Iterator[tuple[str, ast.Name]]:
    match target:
        case ast.Name():
            yield target.id, target
        case ast.Tuple() | ast.List():
            for element in target.elts:
                yield from _target_names(element)
        case _:
            pass
