"""Reads an agent and everything it imports from disk into a bundle."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SourceError, UsageError
from ..settings import ImportPolicy, RuntimePolicy
from .bundle import Bundle, Language, Module
from .imports import ModuleSyntax, read_module_syntax
from .lexer import Lines
from .modules import CHIDORI_MODULE, Unresolved, project_root, resolve
from .templates import collect_templates
from .typescript import transform

if TYPE_CHECKING:
    from .starlark.modules import StarlarkFiles

STARLARK = ".star"
_DEFINED = re.compile(r"^def\s+(\w+)", re.MULTILINE)
_TOOL_EXPORTS = frozenset(("tool", "run"))
_TOOL_HINTS = {
    "run": "write: export async function run(args, chidori) { … }",
    "tool": 'write: export const tool = { name, description, parameters: { type: "object", properties: { … } } }',
}
_HELPER_HINT = "a file that is there for others is checked with the agent that takes from it"
_LANGUAGES: dict[str, Language] = {".ts": "typescript", ".js": "javascript", ".json": "json"}
_ENTRIES = (".ts", ".js", ".star")


def load_bundle(entry: Path, policy: RuntimePolicy, *, root: Path | None = None) -> Bundle:
    """Read, transform and check an agent with all it imports, and the templates beside it.

    ``root`` is the directory that imports must not leave, without symlinks; left out, the one that the files around
    ``entry`` mark.

    Raises:
        UsageError: ``entry`` is no file that can be an agent.
        SourceError: a fault in the source, an import that cannot be had, or no exported ``agent``.
        ChidoriError: a template that cannot be taken along.
    """
    _check_entry(entry)
    real = entry.resolve()
    if root is None:
        root = project_root(real)
    path = real.relative_to(root).as_posix()
    loader = _Loader(root, policy.typescript_imports)
    modules = loader.load(path)
    if "agent" not in loader.exports(path):
        if real.suffix == STARLARK:
            hint = f"write: def agent(…): …, or in a tool: def {real.stem}(…): …; {_HELPER_HINT}"
            raise SourceError("the file has no function agent", path=path, hint=hint)
        hint = f"write: export async function agent(input, chidori) {{ … }}; {_HELPER_HINT}"
        raise SourceError("the file exports no function agent", path=path, hint=hint)
    return Bundle(path, modules, collect_templates(real.parent))


def load_tool_bundle(file: Path, policy: RuntimePolicy) -> Bundle | None:
    """Read, transform and check a tool with all it imports, without templates; None for a file that is no tool.

    A tool exports ``tool`` and ``run``. What exports neither is a helper of other files, and its faults are theirs;
    an agent may have an export of one of these names. In Starlark a tool is the function that has the file's name.

    Raises:
        UsageError: there is no such file.
        SourceError: a fault in the source, an import that cannot be had, or only one of the two exports.
    """
    _check_entry(file)
    path = tool_path(file)
    loader = _Loader(_tool_root(file), policy.typescript_imports)
    if file.suffix == STARLARK:
        return Bundle(path, loader.load(path, tool=file.stem), ())
    try:
        modules = loader.load(path)
    except SourceError:
        if own_exports(file) & {*_TOOL_EXPORTS, "*"}:
            raise
        return None
    exports = loader.exports(path)
    missing = _TOOL_EXPORTS - exports
    if missing == _TOOL_EXPORTS or (missing and "agent" in exports):
        return None
    for name in missing:
        (other,) = _TOOL_EXPORTS - missing
        raise SourceError(f"the file exports `{other}` but no `{name}`", path=path, hint=_TOOL_HINTS[name])
    return Bundle(path, modules, ())


def own_exports(file: Path) -> frozenset[str]:
    """The names that a file exports itself, whatever faults it has; ``*`` stands for those of other modules.
    Of a Starlark file they are the functions at its top level.

    Raises:
        UsageError: there is no such file.
        SourceError: it cannot be read.
    """
    _check_entry(file)
    path = tool_path(file)
    source = _decode(_read_bytes(file, path), path)
    if file.suffix == STARLARK:
        return frozenset(_DEFINED.findall(source))
    try:
        syntax = read_module_syntax(transform(path, source))
    except SourceError:
        syntax = read_module_syntax(source)  # most of it can be recognised
    return syntax.exports | ({"*"} if syntax.stars else set())


def tool_path(file: Path) -> str:
    """A tool file as positions in it are told: its path relative to its project's root."""
    return file.resolve().relative_to(_tool_root(file)).as_posix()


def _tool_root(file: Path) -> Path:
    # Without a mark it is the folder that an agent beside the tools directory has as its root.
    return project_root(file, unmarked=1)


def _check_entry(entry: Path) -> None:
    try:
        is_folder, is_there, is_file = entry.is_dir(), entry.exists(), entry.is_file()
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise UsageError(f"{entry} cannot be looked at: {error.strerror}") from None
    if is_folder:
        raise UsageError(f"{entry} is a directory", hint="name the agent's file, for example agents/hello.ts")
    if not is_there:
        raise UsageError(f"there is no file {entry}")
    if not is_file:  # reading a device or a pipe may never end
        raise UsageError(f"{entry} is not a regular file")
    if entry.suffix not in _ENTRIES:
        raise UsageError(f"{entry} is no agent", hint="an agent's file name ends in .ts, .js or .star")


class _Loader:
    """Loads modules once each. Import cycles are legal, but not among Starlark files."""

    def __init__(self, root: Path, policy: ImportPolicy) -> None:
        self._root = root
        self._policy = policy
        self._modules: dict[str, Module] = {}
        self._syntax: dict[str, ModuleSyntax] = {}

    @cached_property
    def _starlark(self) -> "StarlarkFiles":
        from .starlark.modules import StarlarkFiles  # most agents are TypeScript

        return StarlarkFiles(self._root, self._policy)

    def load(self, entry: str, *, tool: str | None = None) -> tuple[Module, ...]:
        """Everything reachable from ``entry``, each module after what it imports (but for cycles).

        ``tool`` is the name of the tool that a Starlark ``entry`` is.
        """
        done: list[Module] = []
        open_paths = [(entry, iter(self._targets(entry, tool)))]
        while open_paths:
            path, targets = open_paths[-1]
            following = next((target for target in targets if self._is_new(target, open_paths)), None)
            if following is None:
                done.append(self._finished(path))
                open_paths.pop()
            else:
                open_paths.append((following, iter(self._targets(following))))
        return tuple(done)

    def _is_new(self, path: str, open_paths: Sequence[tuple[str, object]]) -> bool:
        chain = [opened for opened, _ in open_paths]
        if path in chain and self._modules[path].language == "starlark":
            raise self._starlark.cycle(chain[chain.index(path) :], self._modules)
        return path not in self._modules

    def _finished(self, path: str) -> Module:
        module = self._modules[path]
        if module.language == "starlark":
            self._starlark.check_names(module)
        return module

    def _targets(self, path: str, tool: str | None = None) -> list[str]:
        module = self._modules[path] = self._read(path, tool)
        return [target for _, target in module.imports if target != CHIDORI_MODULE]

    def _read(self, path: str, tool: str | None) -> Module:
        data = _read_bytes(self._root / path, path)
        source = _decode(data, path)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if path.endswith(STARLARK):
            return self._starlark.module(path, source, digest, tool)
        code = transform(path, source)
        language = _LANGUAGES[Path(path).suffix]
        if language == "json":
            return Module(path, language, source, code, digest, ())
        syntax = self._syntax[path] = read_module_syntax(code)
        if syntax.dynamic is not None:
            raise _fault(
                "dynamic import() cannot be recorded",
                path,
                source,
                code,
                (syntax.dynamic.line, syntax.dynamic.column),
                'import it statically at the top of the file: import { x } from "./x"',
            )
        imports: dict[str, str] = {}
        for item in syntax.imports:
            try:
                imports[item.specifier] = resolve(item.specifier, path, self._root, self._policy)
            except Unresolved as error:
                raise _fault(str(error), path, source, code, (item.line, item.column), error.hint) from None
        return Module(path, language, source, code, digest, tuple(imports.items()))

    def exports(self, entry: str) -> frozenset[str]:
        """The names that a loaded module exports, itself or through ``export * from``; of Starlark its functions."""
        if entry.endswith(STARLARK):
            return self._starlark.entries(entry)
        names = set[str]()
        todo, seen = [entry], set[str]()
        while todo:
            path = todo.pop()
            syntax = self._syntax.get(path)
            if syntax is None or path in seen:
                continue
            names |= syntax.exports
            seen.add(path)
            targets = dict(self._modules[path].imports)
            todo += [targets[specifier] for specifier in syntax.stars]
        return frozenset(names)


def _read_bytes(file: Path, path: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"the file cannot be read: {error.strerror}", path=path) from None


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} cannot stand there",
            path=path,
            line=line,
            hint="save it as UTF-8",
        ) from None


def _fault(message: str, path: str, source: str, code: str, place: tuple[int, int], hint: str | None) -> SourceError:
    from .positions import Positions  # most files have no fault to place

    line, column = Positions(source, code).original(*place)
    return SourceError(message, path=path, line=line, column=column, source_line=Lines(source).text(line), hint=hint)
