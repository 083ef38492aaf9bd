"""What the parts of the compiler share while they write JavaScript: places, temporary names, what was used."""

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .effects import Effects
from .names import Binding, Function, Names
from .source import Source


@dataclass(slots=True)
class ModuleCode:
    """One module's code while it is written. ``imports`` are what it uses of the runtime.

    Expressions have functions in them and functions have statements: whoever writes one part gets to the others through
    ``write_expression`` and ``write_block``.
    """

    source: Source
    names: Names
    effects: Effects
    write_expression: "Callable[[ast.expr, Body], str]"
    write_block: "Callable[[Sequence[ast.stmt], Body], str]"
    imports: set[str] = field(default_factory=set)
    builtins: set[str] = field(default_factory=set)
    constants: list[str] = field(default_factory=list)
    """Values that are made once, when the module is loaded."""
    places: list[int] = field(default_factory=list)
    function_names: list[str] = field(default_factory=list)

    def use(self, name: str) -> str:
        """``name`` of the runtime."""
        self.imports.add(name)
        return name

    def constant(self, prefix: str, value: str) -> str:
        """A name for a value that never changes."""
        name = f"{prefix}{len(self.constants)}"
        self.constants.append(f"const {name} = {value};")
        return name


@dataclass(slots=True)
class Body:
    """The code of one function, or of the top level, while it is written."""

    module: ModuleCode
    function: Function | None
    name: int
    """Index of its name in ``function_names``."""
    temporaries: int = 0
    waits: bool = False
    """Whether the code written so far has an ``await``."""
    catches: bool = False
    """Whether anything in it can fail."""
    assigned: set[Binding] = field(default_factory=set)
    """Variables that certainly have a value here."""
    loops: int = 0
    stack: int = 0
    """What a call needs of the engine's stack beyond that of the plainest function, in 100 bytes."""

    def expression(self, node: ast.expr) -> str:
        """JavaScript whose value is that of ``node``."""
        return self.module.write_expression(node, self)

    def block(self, statements: Sequence[ast.stmt]) -> str:
        """JavaScript for statements, a line each."""
        return self.module.write_block(statements, self)

    def temporary(self) -> str:
        self.temporaries += 1
        return f"t{self.temporaries}"

    def place(self, node: ast.AST) -> str:
        """The argument that says where a failure of an operation is: an assignment to the variable ``p``."""
        return f"p = {self.place_number(node)}"

    def place_number(self, node: ast.AST) -> int:
        line, column = self.module.source.place(node)
        self.catches = True
        self.module.places += (line, column, self.name)
        return len(self.module.places) // 3 - 1

    def use(self, name: str) -> str:
        return self.module.use(name)


def quote(text: str) -> str:
    """A string of JavaScript."""
    return json.dumps(text, ensure_ascii=False)
