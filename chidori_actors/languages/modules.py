"""Which file an import means, and whether the policy lets an agent have it."""

from pathlib import Path, PurePosixPath

from ..settings import ImportPolicy

CHIDORI_MODULE = "chidori"
"""The virtual module; it resolves to itself."""

EXTENSIONS = (".ts", ".js", ".json")
STARLARK_EXTENSIONS = (".star",)
# Not `.chidori`: a run makes it for its store, and the next run would find another root than the first.
_PROJECT_MARKS = (".git", "package.json", "pyproject.toml", "chidori.json")
_INSTEAD = {
    "chidori.memory keeps data, chidori.template reads text, chidori.tool does the rest": (
        "fs",
        "fs/promises",
        "fs-extra",
    ),
    "use chidori.http": ("http", "https", "http2", "net", "undici", "node-fetch", "axios", "got", "ky"),
    "use chidori.prompt": (
        "openai",
        "@anthropic-ai/sdk",
        "ai",
        "@google/generative-ai",
        "cohere-ai",
        "ollama",
    ),
    "use chidori.execJs or chidori.tool": ("child_process", "execa", "worker_threads", "vm"),
    "use chidori.env": ("process", "dotenv"),
    "the global setTimeout is durable": ("timers", "timers/promises"),
}


class Unresolved(Exception):
    """An import that cannot be had; ``str()`` says why, ``hint`` how to get out."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


def project_root(entry: Path, *, unmarked: int = 0) -> Path:
    """The directory that imports must not leave: the nearest one above ``entry`` that has a ``.git``,
    ``package.json``, ``pyproject.toml`` or ``chidori.json``; otherwise the entry's own, or the one ``unmarked``
    levels above it. Symlinks are resolved.
    """
    folder = entry.resolve().parent
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in _PROJECT_MARKS):
            return candidate
    return (folder, *folder.parents)[min(unmarked, len(folder.parents))]


def resolve(specifier: str, importer: str, root: Path, policy: ImportPolicy) -> str:
    """The module that ``specifier`` means in ``importer``: a POSIX path relative to ``root``, or
    ``"chidori"``.

    ``importer`` is such a path too, and ``root`` has no symlinks. An extension may be left out: ``.ts``,
    ``.js``, ``.json`` and ``index`` files are tried; ``./x.js`` may also mean ``x.ts``, as TypeScript
    writes it.

    Raises:
        Unresolved: the policy forbids it, there is no such file, or it lies outside ``root``.
    """
    if specifier == CHIDORI_MODULE:
        return CHIDORI_MODULE
    relative = specifier.startswith(("./", "../")) or specifier in (".", "..")
    if not relative and not specifier.startswith("/"):
        raise _foreign(specifier)
    base = _allowed(specifier, importer, root, policy, relative=relative)
    return _find(specifier, base, root, EXTENSIONS)


def resolve_load(file: str, importer: str, root: Path, policy: ImportPolicy) -> str:
    """The file that Starlark's ``load(file, …)`` means in ``importer``, under the rules of ``resolve``.

    Raises:
        Unresolved: the policy forbids it, there is no such file, it lies outside ``root`` or is no Starlark.
    """
    if file.startswith(("@", "//", ":")):
        raise Unresolved(f'"{file}" is no path', 'write: load("./file.star", "name")')
    base = _allowed(file, importer, root, policy, relative=not file.startswith("/"))
    return _find(file, base, root, STARLARK_EXTENSIONS)


def _allowed(specifier: str, importer: str, root: Path, policy: ImportPolicy, *, relative: bool) -> Path:
    if policy == "none":
        raise Unresolved(
            f'the import of "{specifier}" is not allowed: CHIDORI_TS_IMPORTS is none',
            'only "chidori" can be imported; set CHIDORI_TS_IMPORTS=relative to allow files',
        )
    if not relative and policy != "project":
        raise Unresolved(
            f'the import of "{specifier}" is not allowed: CHIDORI_TS_IMPORTS is {policy}',
            "write a path that begins with ./ or ../, or set CHIDORI_TS_IMPORTS=project",
        )
    return (root / importer).parent / specifier if relative else root / specifier.lstrip("/")


def _foreign(specifier: str) -> Unresolved:
    name = specifier.removeprefix("node:").removeprefix("npm:")
    package = "/".join(name.split("/")[: 2 if name.startswith("@") else 1])
    for advice, names in _INSTEAD.items():
        if name in names or package in names:
            hint = advice
            break
    else:
        hint = 'import files with ./ or ../, and do what touches the world through the "chidori" calls'
    return Unresolved(f'"{specifier}" cannot be imported: agents have neither Node.js nor npm nor URLs to import', hint)


def _find(specifier: str, base: Path, root: Path, extensions: tuple[str, ...]) -> str:
    tried: list[str] = []
    try:
        for candidate in _candidates(base, extensions):
            real = candidate.resolve()
            if not real.is_relative_to(root):
                raise Unresolved(
                    f'"{specifier}" lies outside the project',  # agents see this too, and not where they lie
                    f"copy it into the project, whose root is {root}, or mark a higher root with a package.json",
                )
            if real.is_file():
                if real.suffix not in extensions:
                    raise Unresolved(f'"{specifier}" is no module', f"a module's name ends in {', '.join(extensions)}")
                return real.relative_to(root).as_posix()
            tried.append(PurePosixPath(candidate.parent.resolve() / candidate.name).relative_to(root).as_posix())
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # too long a name, a null character, a loop of symlinks
        raise Unresolved(f'"{specifier}" cannot be read: {error}') from None
    raise Unresolved(f'"{specifier}" was not found; tried {", ".join(tried)}')


def _candidates(base: Path, extensions: tuple[str, ...]) -> list[Path]:
    if extensions == STARLARK_EXTENSIONS:
        return [base]
    if base.suffix in EXTENSIONS:
        named = [base]
        if base.suffix == ".js":
            named.append(base.with_suffix(".ts"))
        return named
    if base.name in ("", "..") or base.is_dir():
        beside = [] if base.name in ("", "..") else [base.with_name(base.name + suffix) for suffix in EXTENSIONS]
    else:
        beside = [base, *(base.with_name(base.name + suffix) for suffix in EXTENSIONS)]
    return [*beside, base / "index.ts", base / "index.js"]
