"""Starlark files as modules of a bundle, and what ``load`` wants of other files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import SourceError
from ...settings import ImportPolicy
from ..bundle import Module
from ..modules import Unresolved, resolve_load
from .compile import Compiled, Load, compile_module
from .source import Source


@dataclass(frozen=True, slots=True)
class StarlarkFiles:
    """The Starlark files of one project, read so far. ``root`` has no symlinks; paths are POSIX and relative to it."""

    root: Path
    policy: ImportPolicy
    _compiled: dict[str, Compiled] = field(default_factory=dict)
    _sources: dict[str, Source] = field(default_factory=dict)

    def module(self, path: str, text: str, digest: str, tool: str | None) -> Module:
        """Compile a file; ``tool`` makes it the tool of that name.

        Raises:
            SourceError: a fault in it, or a file that cannot be loaded.
        """
        source = self._sources[path] = Source(path, text)
        compiled = self._compiled[path] = compile_module(path, text, tool=tool)
        imports: dict[str, str] = {}
        for load in compiled.loads:
            try:
                imports[load.path] = resolve_load(load.path, path, self.root, self.policy)
            except Unresolved as error:
                raise source.fault((load.line, load.column), str(error), error.hint) from None
        return Module(path, "starlark", text, compiled.code, digest, tuple(imports.items()))

    def check_names(self, module: Module) -> None:
        """See that the files that a module loads, which have been read, have what it wants of them.

        Raises:
            SourceError: one of them has no such name.
        """
        targets = dict(module.imports)
        for load in self._compiled[module.path].loads:
            exports = self._compiled[targets[load.path]].exports
            for name in load.names:
                if name not in exports:
                    known = ", ".join(sorted(exports)) or "nothing"
                    message = f"{targets[load.path]} has no `{name}` at its top level"
                    raise self._fault(module.path, load, message, f"it has: {known}")

    def cycle(self, chain: Sequence[str], modules: Mapping[str, Module]) -> SourceError:
        """The error for files of which each loads the next, and the last one the first."""
        importer, loaded = chain[-1], chain[0]
        targets = dict(modules[importer].imports)
        load = next(one for one in self._compiled[importer].loads if targets[one.path] == loaded)
        told = " loads ".join((*chain, loaded))
        return self._fault(importer, load, f"files load each other: {told}", "put what both need into a third file")

    def entries(self, path: str) -> frozenset[str]:
        """The functions at the top level of a file that was read."""
        return self._compiled[path].functions

    def _fault(self, path: str, load: Load, message: str, hint: str) -> SourceError:
        return self._sources[path].fault((load.line, load.column), message, hint)
