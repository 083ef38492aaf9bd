"""The source bundle: everything an agent's run needs of the disk, stored with the run.

A bundle holds the transformed code too. Transforming anew would be cheap (5 ms), but a run that waited for
weeks must go on with the code it began with, whatever the transform of a later version prints.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

import orjson

from ..errors import ManifestMismatch
from .lexer import Lines

if TYPE_CHECKING:
    from .positions import Positions

Language = Literal["typescript", "javascript", "json"]


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
    """An agent's source. ``modules`` are in dependency order, so the entry comes last.

    ``templates`` are pairs of path (relative to the entry's directory) and text.
    """

    entry: str
    modules: tuple[Module, ...]
    templates: tuple[tuple[str, str], ...]
    _positions: dict[str, "Positions"] = field(default_factory=dict, repr=False, compare=False)

    def module(self, path: str) -> Module:
        """The module of that path. Raises ``KeyError`` when the bundle has none."""
        return self._by_path[path]

    @cached_property
    def _by_path(self) -> dict[str, Module]:
        return {module.path: module for module in self.modules}

    @cached_property
    def hash(self) -> str:
        """``sha256:…`` of ``to_json()``."""
        return "sha256:" + hashlib.sha256(self.to_json()).hexdigest()

    def locate(self, path: str, line: int, column: int) -> tuple[int, int, str]:
        """Line, column and the source line, as written, of a position in a module's code (1-based, code
        points).

        Raises ``KeyError`` when the bundle has no such module.
        """
        from .positions import Positions  # most runs have no error to place

        module = self.module(path)
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
        return orjson.dumps(
            {
                "entry": self.entry,
                "modules": [_module_to_json(module) for module in self.modules],
                "templates": self.templates,
            },
            option=orjson.OPT_SORT_KEYS,
        )

    @classmethod
    def from_json(cls, data: bytes) -> "Bundle":
        """A bundle from ``to_json()``. Raises ``ValueError`` when ``data`` is anything else."""
        try:
            value = orjson.loads(data)
            modules = tuple(_module_from_json(module) for module in value["modules"])
            templates = tuple((_text(path), _text(text)) for path, text in value["templates"])
            bundle = cls(_text(value["entry"]), modules, templates)
            bundle.module(bundle.entry)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a source bundle: {error!r}") from None
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
    if language not in ("typescript", "javascript", "json"):
        raise ValueError(f"language {language!r}")
    imports = tuple((_text(specifier), _text(path)) for specifier, path in value["imports"])
    path, source, code, digest = (_text(value[name]) for name in ("path", "source", "code", "hash"))
    return Module(path, cast(Language, language), source, code, digest, imports)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where text was expected")
    return value


def compare(recorded: Bundle, current: Bundle) -> None:
    """Check that the source on disk is the recorded one.

    Raises:
        ManifestMismatch: the entry, a module or the module graph differs, looked at in this order.
    """
    hint = "pass --recorded-source to go on with what was recorded, or --allow-source-change"
    old, new = recorded.module(recorded.entry), current.module(current.entry)
    if (old.path, old.hash) != (new.path, new.hash):
        raise ManifestMismatch(_mismatch("source", f"{old.path} {old.hash}", f"{new.path} {new.hash}"), hint=hint)
    before = {m.path: m.hash for m in recorded.modules if m.path != recorded.entry}
    now = {m.path: m.hash for m in current.modules if m.path != current.entry}
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            text = _mismatch("module", f"{path} {before.get(path, 'none')}", f"{path} {now.get(path, 'none')}")
            raise ManifestMismatch(text, hint=hint)
    for path in sorted(before.keys() | {recorded.entry}):
        imports, imports_now = recorded.module(path).imports, current.module(path).imports
        if imports != imports_now:
            text = _mismatch("module graph", f"{path} {_graph(imports)}", f"{path} {_graph(imports_now)}")
            raise ManifestMismatch(text, hint=hint)


def _mismatch(what: str, recorded: str, current: str) -> str:
    return f"runtime snapshot {what} mismatch: snapshot has {recorded}, runtime has {current}"


def _graph(imports: tuple[tuple[str, str], ...]) -> str:
    return "{" + ", ".join(f"{specifier} -> {path}" for specifier, path in imports) + "}"
