"""A ``.star`` file to the ES module that runs in the VM."""

import ast
from dataclasses import dataclass

from .builtins import BUILTINS, HOST
from .check import LOAD, check, check_entry
from .effects import find_effects
from .emit import Body, ModuleCode, quote
from .expressions import expression
from .names import Names, is_load, resolve
from .parse import parse
from .source import Source
from .statements import block, statement

RUNTIME = "chidori:starlark"
"""The global that the runtime is under, see prelude/starlark_host.js."""


@dataclass(frozen=True, slots=True)
class Load:
    """A ``load`` statement: the file as it names it, what it wants of that file, and where (1-based)."""

    path: str
    names: tuple[str, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """``code`` is JavaScript, ``functions`` the names that ``def`` gives at the top level, ``exports`` what another
    file can load."""

    code: str
    functions: frozenset[str]
    exports: frozenset[str]
    loads: tuple[Load, ...]


def compile_module(path: str, text: str, *, tool: str | None = None) -> Compiled:
    """Compile a file. ``path`` is how positions name it; ``tool`` makes it a tool, whose function has that name.

    The module exports ``agent`` (a function of the input as JSON text, which gives JSON text) when there is a function
    of that name, of a tool ``tool`` and ``run``, and each global as its name and ``$``.

    Raises:
        SourceError: the text is not Starlark; line and column are those of the file.
    """
    source = Source(path, text)
    tree = parse(source)
    check(source, tree)
    names = resolve(source, tree, (*BUILTINS, *HOST))
    try:
        return _Writer(source, tree, names).compiled(tool)
    except RecursionError:
        raise source.fault((1, 1), "the code is nested too deep") from None


class _Writer:
    def __init__(self, source: Source, tree: ast.Module, names: Names) -> None:
        effects = find_effects(tree, names)
        self._tree = tree
        self._module = ModuleCode(source, names, effects, expression, block, function_names=["<module>"])
        self._body = Body(self._module, None, 0)
        self._loads: list[Load] = []
        self._imports: list[str] = []

    def compiled(self, tool: str | None) -> Compiled:
        names = self._module.names
        for one in self._tree.body:
            if is_load(one):
                self._load(one)
        self._body.assigned |= set(names.loaded.values())
        top = "\n".join(statement(one, self._body) for one in self._tree.body if not is_load(one))
        functions = frozenset(binding.name for binding in names.defined.values() if binding.kind == "global")
        exports = self._exports(tool)
        code = "\n".join([*self._imports, self._head(), self._declared(), self._guarded(top), *exports])
        own = frozenset(name for name in names.globals if name not in names.loaded and not name.startswith("_"))
        return Compiled(code + "\n", functions, own, tuple(self._loads))

    def _head(self) -> str:
        module = self._module
        used = ", ".join(sorted({*module.imports, "trace", "freeze", "agent", "run"}))
        lines = [f"const {{ {used} }} = globalThis[{quote(RUNTIME)}];"]
        for kind, known in (("builtins", BUILTINS), ("host", HOST)):
            found = ", ".join(f"{name}: {name}$b" for name in sorted(module.builtins & set(known)))
            if found:
                lines.append(f"const {{ {found} }} = globalThis[{quote(RUNTIME)}].{kind};")
        names = ", ".join(quote(name) for name in module.function_names)
        table = ",".join(map(str, module.places))
        lines.append(f"const S = {{ path: {quote(module.source.path)}, names: [{names}], table: [{table}] }};")
        return "\n".join([*lines, *module.constants])

    def _declared(self) -> str:
        names = self._module.names
        own = [binding for binding in names.globals.values() if binding.name not in names.loaded]
        variables = [binding.js for binding in own]
        for binding in own:
            if binding.only is not None:
                variables += (f"{binding.js}f", f"{binding.js}d")
        variables += [f"t{number + 1}" for number in range(self._body.temporaries)]
        return f"let {', '.join([*variables, 't', 'p = 0'])};"

    def _guarded(self, code: str) -> str:
        names = self._module.names
        own = [binding.js for binding in names.globals.values() if binding.name not in names.loaded]
        frozen = f"freeze([{', '.join(own)}]);"
        return f"try {{\n{code}\n{frozen}\n}} catch (e) {{ throw trace(e, S, p); }}"

    def _exports(self, tool: str | None) -> list[str]:
        names = self._module.names
        shared = [binding.js for binding in names.globals.values() if binding.name not in names.loaded]
        lines = [f"export {{ {', '.join(shared)} }};"] if shared else []
        lines += self._entry("agent", "agent")
        if tool is not None:
            from .tools import definition  # most modules are no tools

            # As text: numbers of JavaScript would not be those of the file.
            lines += [
                f"export const tool = {quote(definition(self._module.source, self._tree, names, tool))};",
                *self._entry("run", tool),
            ]
        return lines

    def _entry(self, exported: str, name: str) -> list[str]:
        """The export that the host calls for the function ``name``, if there is one."""
        binding = self._module.names.globals.get(name)
        if binding is None or binding.definition is None:
            return []
        check_entry(self._module.source, binding.definition, f"the {'agent' if exported == 'agent' else 'tool'}'s")
        self._module.function_names.append(name)
        place = Body(self._module, None, len(self._module.function_names) - 1).place_number(binding.definition)
        return [
            f"const {exported}$main = {exported}(() => {binding.js}, S, {place});",
            f"export {{ {exported}$main as {exported} }};",
        ]

    def _load(self, node: ast.stmt) -> None:
        assert isinstance(node, ast.Expr)
        assert isinstance(node.value, ast.Call)
        source = self._module.source
        if not node.value.args or len(node.value.args) + len(node.value.keywords) < 2:
            raise source.fault(node, "load() takes a file and the names that are wanted of it", LOAD)
        path, *wanted = node.value.args
        if not isinstance(path, ast.Constant) or not isinstance(path.value, str) or not path.value:
            raise source.fault(path, "load() takes the file as a string", LOAD)
        pairs: list[tuple[str, str, ast.AST]] = []
        for argument in wanted:
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                raise source.fault(argument, "load() takes names as strings", LOAD)
            pairs.append((argument.value, argument.value, argument))
        for keyword in node.value.keywords:
            if (
                keyword.arg is None
                or not isinstance(keyword.value, ast.Constant)
                or not isinstance(keyword.value.value, str)
            ):
                raise source.fault(keyword, "load() takes names as strings", 'write: load("./file.star", own = "name")')
            pairs.append((keyword.value.value, keyword.arg, keyword))
        for name, _, wanted_at in pairs:
            if name.startswith("_"):
                raise source.fault(wanted_at, f"`{name}` belongs to {path.value} alone: its name begins with `_`")
        self._loads.append(Load(path.value, tuple(name for name, _, _ in pairs), *source.place(path)))
        imported = ", ".join(f"{name}$ as {own}$" for name, own, _ in pairs)
        self._imports.append(f"import {{ {imported} }} from {quote(path.value)};")
