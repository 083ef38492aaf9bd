"""The source bundle: everything an agent's run needs of the disk, stored with the run.

A bundle holds the transformed code too. Transforming anew would be cheap (5 ms), but a run that waited for
weeks must go on with the code it began with, whatever the transform of a later version prints.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import orjson

from ..errors import SourceMismatch
from .lexer import Lines

if TYPE_CHECKING:
    from .positions import Positions

Language = Literal["typescript", "javascript", "json", "starlark"]


@dataclass(frozen=True, slots=True)
class Module:
    """One file of a bundle. ``path`` is POSIX and relative to the project root.

    ``source`` is the text as written (without a byte order mark), ``code`` the JavaScript made of it,
    ``hash`` the ``sha256:…`` of the file's bytes, ``imports`` pairs of specifier and resolved path
    (``"chidori"`` for the virtual module) in the order of the code.
    """

    path: str
    language: Language
    source: str
    code: str
    hash: str
    imports: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bundle:
    """The source of an agent, or of one of its tools. ``modules`` are in dependency order, so the entry comes last.

    ``templates`` are pairs of path (relative to the entry's directory) and text. ``tools`` are sorted by name; each
    has a bundle of its own, because its project may be another one than the agent's.
    """

    entry: str
    modules: tuple[Module, ...]
    templates: tuple[tuple[str, str], ...]
    tools: tuple["Tool", ...] = ()
    broken_tools: tuple["BrokenTool", ...] = ()
    _positions: dict[str, "Positions"] = field(default_factory=dict, repr=False, compare=False)

    def module(self, path: str) -> Module:
        """The module of that path. Raises ``KeyError`` when the bundle has none."""
        return self._by_path[path]

    @cached_property
    def _by_path(self) -> dict[str, Module]:
        return {module.path: module for module in self.modules}

    @property
    def language(self) -> Language:
        """The entry's."""
        return self.module(self.entry).language

    @cached_property
    def hash(self) -> str:
        """``sha256:…`` of ``to_json()``."""
        return "sha256:" + hashlib.sha256(self.to_json()).hexdigest()

    def locate(self, path: str, line: int, column: int) -> tuple[int, int, str]:
        """Line, column and the source line, as written, of a position in a module's code (1-based, code
        points).

        Raises ``KeyError`` when the bundle has no such module.
        """
        module = self.module(path)
        if module.language == "starlark":
            return line, column, Lines(module.source).text(line)  # its code tells the places of the source

        from .positions import Positions  # most runs have no error to place

        positions = self._positions.get(path)
        if positions is None:
            positions = self._positions[path] = Positions(module.source, module.code)
        found_line, found_column = positions.original(line, column)
        return found_line, found_column, Lines(module.source).text(found_line)

    def manifest(self) -> dict[str, Any]:
        """``entry``, ``modules`` (without the entry) and ``module_graph`` as the manifest has them."""
        return {
            "entry": {"path": self.entry, "hash": self.module(self.entry).hash},
            "modules": [
                {"path": module.path, "hash": module.hash} for module in self.modules if module.path != self.entry
            ],
            "module_graph": [
                {
                    "path": module.path,
                    "imports": [{"specifier": specifier, "resolved_path": path} for specifier, path in module.imports],
                }
                for module in self.modules
            ],
        }

    def to_json(self) -> bytes:
        """Canonical JSON (sorted keys), what ``from_json`` reads."""
        return orjson.dumps(_bundle_to_json(self), option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, data: bytes) -> "Bundle":
        """A bundle from ``to_json()``. Raises ``ValueError`` when ``data`` is anything else."""
        try:
            return _bundle_from_json(orjson.loads(data))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a source bundle: {error!r}") from None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that was found on disk.

    ``definition`` is JSON text, ``{name, description, parameters}``: what its code gave when the bundle was made.
    ``bundle`` holds the tool's modules, its entry exporting ``run``, and the templates beside it.
    """

    name: str
    definition: str
    bundle: Bundle


@dataclass(frozen=True, slots=True)
class BrokenTool:
    """A tool file that cannot be used: ``name`` is the file's stem, ``reason`` one line with the place of the fault."""

    name: str
    path: str
    reason: str


def _bundle_to_json(bundle: Bundle) -> dict[str, Any]:
    value: dict[str, Any] = {
        "entry": bundle.entry,
        "modules": [_module_to_json(module) for module in bundle.modules],
        "templates": bundle.templates,
    }
    # Left out when there are none: the hash of a source without tools is the same as before there were any.
    if bundle.tools:
        value["tools"] = [
            {"name": tool.name, "definition": tool.definition, "bundle": _bundle_to_json(tool.bundle)}
            for tool in bundle.tools
        ]
    if bundle.broken_tools:
        value["broken_tools"] = [
            {"name": broken.name, "path": broken.path, "reason": broken.reason} for broken in bundle.broken_tools
        ]
    return value


def _bundle_from_json(value: Any) -> Bundle:
    bundle = Bundle(
        _text(value["entry"]),
        tuple(_module_from_json(module) for module in value["modules"]),
        tuple((_text(path), _text(text)) for path, text in value["templates"]),
        tuple(
            Tool(_text(tool["name"]), _text(tool["definition"]), _bundle_from_json(tool["bundle"]))
            for tool in value.get("tools", ())
        ),
        tuple(
            BrokenTool(_text(broken["name"]), _text(broken["path"]), _text(broken["reason"]))
            for broken in value.get("broken_tools", ())
        ),
    )
    bundle.module(bundle.entry)
    return bundle


def _module_to_json(module: Module) -> dict[str, Any]:
    return {
        "path": module.path,
        "language": module.language,
        "source": module.source,
        "code": module.code,
        "hash": module.hash,
        "imports": module.imports,
    }


def _module_from_json(value: Any) -> Module:
    language = value["language"]
    if language not in get_args(Language):
        raise ValueError(f"language {language!r}")
    imports = tuple((_text(specifier), _text(path)) for specifier, path in value["imports"])
    path, source, code, digest = (_text(value[name]) for name in ("path", "source", "code", "hash"))
    return Module(path, cast(Language, language), source, code, digest, imports)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where text was expected")
    return value


_Key = tuple[str, str]
"""A module of a bundle with tools: the tool's name, empty for the agent's own modules, and the path."""


def compare(recorded: Bundle, current: Bundle) -> None:
    """Check that the source on disk is the recorded one. Broken tools do not count: nothing could call them.

    Raises:
        SourceMismatch: the entry, a module (the tools' among them) or the module graph differs, looked at in this
            order.
    """
    old, new = recorded.module(recorded.entry), current.module(current.entry)
    if (old.path, old.hash) != (new.path, new.hash):
        raise _mismatch(("", old.path), "source", old.hash, f"{new.path} {new.hash}")
    before, now = _all_modules(recorded), _all_modules(current)
    for key in sorted(before.keys() | now.keys()):
        hash_before, hash_now = (modules[key].hash if key in modules else "none" for modules in (before, now))
        if hash_before != hash_now:
            raise _mismatch(key, "module", hash_before, f"{key[1]} {hash_now}")
    for key, module in sorted(before.items()):
        imports, imports_now = module.imports, now[key].imports
        if imports != imports_now:
            raise _mismatch(key, "module graph", _graph(imports), f"{key[1]} {_graph(imports_now)}")


def _all_modules(bundle: Bundle) -> dict[_Key, Module]:
    own: dict[_Key, Module] = {("", module.path): module for module in bundle.modules}
    return own | {(tool.name, module.path): module for tool in bundle.tools for module in tool.bundle.modules}


def _mismatch(key: _Key, what: str, recorded: str, current: str) -> SourceMismatch:
    tool, path = key
    hint = "pass --recorded-source to go on with what was recorded, or --allow-source-change"
    if tool:
        hint = f"it belongs to the tool `{tool}`: give the same --tools as at the start, {hint}"
    text = f"runtime snapshot {what} mismatch: snapshot has {path} {recorded}, runtime has {current}"
    return SourceMismatch(text, hint=hint)


def _graph(imports: tuple[tuple[str, str], ...]) -> str:
    return "{" + ", ".join(f"{specifier} -> {path}" for specifier, path in imports) + "}"
