from pathlib import Path

import pytest
import wasmtime

from chidori_actors.wasm import cache_directory, load_module, new_engine

WASM = bytes(wasmtime.wat2wasm('(module (func (export "f") (result i32) i32.const 7))'))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "chidori-actors"


def answer(engine: wasmtime.Engine) -> object:
    store = wasmtime.Store(engine)
    module = load_module(engine, WASM, "seven")
    function = wasmtime.Instance(store, module, []).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    return function(store)


def test_a_compiled_module_is_kept_and_used_again(cache: Path) -> None:
    assert answer(new_engine()) == 7
    (kept,) = cache.iterdir()
    before = kept.stat().st_mtime_ns
    assert answer(new_engine()) == 7
    assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [before]


def test_a_place_for_caches_that_is_not_absolute_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache/chidori-actors"


@pytest.mark.parametrize("content", [b"", b"junk"])
def test_a_mangled_file_is_replaced(cache: Path, content: bytes) -> None:
    answer(new_engine())
    (kept,) = cache.iterdir()
    good = kept.stat().st_size
    kept.unlink()
    kept.write_bytes(content)
    assert answer(new_engine()) == 7
    assert kept.stat().st_size == good


def test_a_file_of_another_configuration_is_replaced(cache: Path) -> None:
    def canonical_nans(config: wasmtime.Config) -> None:
        config.cranelift_nan_canonicalization = True

    answer(new_engine())
    assert answer(new_engine(canonical_nans)) == 7


def test_a_directory_that_others_can_write_is_not_used(cache: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    assert answer(new_engine()) == 7
    assert list(cache.iterdir()) == []
