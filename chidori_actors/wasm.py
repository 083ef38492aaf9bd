"""Compiled WebAssembly modules, kept on disk so that a process maps them instead of compiling them.

Measured for the 1.2 MB transform on two cores: compiling 500 ms, Wasmtime's own module cache 11 ms (it
decompresses), ``deserialize_file`` of an uncompressed artifact 0.3 ms (it maps the file).
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import wasmtime

from .errors import ChidoriError
from .files import replace_file


def cache_directory() -> Path | None:
    """Where compiled modules are kept: ``$XDG_CACHE_HOME/chidori-actors``, by default below ``~/.cache``.

    None for a user without a home directory (a container with an unknown user id).
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        # One that is not absolute is to be ignored, by its specification: processes of another folder would miss it.
        return (base if base.is_absolute() else Path.home() / ".cache") / "chidori-actors"
    except RuntimeError:
        return None


def engine_file(name: str) -> Path:
    """The path of a ``.wasm`` file that the package ``quickjs_rs`` ships.

    The package is not imported: that would cost time, and it compiles modules without any cache.
    """
    spec = find_spec("quickjs_rs")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise ChidoriError(
        f"the JavaScript engine's file {name} is missing",
        hint="reinstall the package quickjs-rs, version 0.2.6",
    )


def new_engine(configure: Callable[[wasmtime.Config], None] | None = None) -> wasmtime.Engine:
    """An engine with Wasmtime's module cache on; ``configure`` may change anything else beforehand."""
    config = wasmtime.Config()
    # The second line of defence: where our own cache directory cannot be written, Wasmtime's may be.
    config.cache = True
    if configure is not None:
        configure(config)
    return wasmtime.Engine(config)


def load_module(engine: wasmtime.Engine, wasm: bytes, name: str) -> wasmtime.Module:
    """Compile ``wasm`` for ``engine``, or map what an earlier process compiled from the same bytes.

    ``name`` tells the files of the cache apart; engines of different configurations need different names,
    or each would replace the other's file. Without a cache that this user alone can write, it just compiles.

    Raises:
        wasmtime.WasmtimeError: ``wasm`` is not a valid module.
    """
    directory = _private_directory(cache_directory())
    if directory is None:
        return wasmtime.Module(engine, wasm)
    # Wasmtime refuses what another version of it compiled; the path keeps two installations from taking
    # turns.
    build = f"{wasmtime.__file__} {os.uname().machine}".encode()
    digest = hashlib.sha256(build + b"\0" + wasm).hexdigest()[:32]
    path = directory / f"{name}-{digest}.cwasm"
    if path.exists():
        try:
            return wasmtime.Module.deserialize_file(engine, str(path))
        except wasmtime.WasmtimeError:
            pass  # made for other CPU features or another configuration; compiled and replaced below
    module = wasmtime.Module(engine, wasm)
    _keep(path, bytes(module.serialize()))
    return module


def _private_directory(path: Path | None) -> Path | None:
    """``path``, created when missing, if nobody else can write to it: what lies in it is run as machine
    code.
    """
    if path is None:
        return None
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError:
        return None
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        return None
    return path


def _keep(path: Path, content: bytes) -> None:
    # Other processes may have the old file mapped, and a file of zeros must not look finished: it is replaced as a
    # whole. A full or read-only disk costs the next process its shortcut, nothing else.
    with suppress(OSError):
        replace_file(path, content)


def read_cached(name: str) -> bytes | None:
    """What ``write_cached`` left under ``name``, or None."""
    directory = _private_directory(cache_directory())
    try:
        return (directory / name).read_bytes() if directory else None
    except OSError:
        return None


def write_cached(name: str, content: bytes) -> None:
    """Keep ``content`` for later processes where a private cache directory can be had."""
    directory = _private_directory(cache_directory())
    if directory is not None:
        _keep(directory / name, content)
