"""An agent's bundle and settings as the VM takes them."""

from collections.abc import Mapping
from typing import Any

import orjson

from ..languages.bundle import Bundle
from ..vm.machine import random_words
from .origins import Program

_SDK_MODULE = "chidori"
_SDK_CODE = "const it = globalThis.chidori; export { it as chidori, it as default };"


class BundleSources:
    """Answers a VM's imports from a bundle; the importing module is the prelude for the entry."""

    def __init__(self, bundle: Bundle) -> None:
        self._entry = bundle.entry
        self._code = {module.path: module.code for module in bundle.modules} | {_SDK_MODULE: _SDK_CODE}
        self._imports = {module.path: dict(module.imports) for module in bundle.modules}

    def resolve(self, base: str, specifier: str) -> str | None:
        imports = self._imports.get(base)
        if imports is None:
            return specifier if specifier == self._entry else None
        return _SDK_MODULE if specifier == _SDK_MODULE else imports.get(specifier)

    def code(self, name: str) -> str | None:
        return self._code.get(name)


def make_program(
    bundle: Bundle,
    policy: Mapping[str, str],
    *,
    seed: str,
    path: str,
    input_json: bytes,
    epoch_ms: int,
    exported: str = "agent",
) -> Program:
    """What the actor at ``path`` of a run with that seed runs: the function ``exported`` of the bundle's entry."""
    config: dict[str, Any] = {
        "entry": bundle.entry,
        "exported": exported,
        "random": random_state(policy, seed, path),
        "date": policy["date"],
        "maps_sets": policy["maps_sets"],
    }
    if bundle.language == "starlark":
        config["values"] = "text"
        input_json = as_text(input_json)
    return Program(BundleSources(bundle), config, input_json, epoch_ms)


def as_text(value: bytes) -> bytes:
    """A value that is given to Starlark, for which JavaScript's parser would round: its JSON text as a JSON string."""
    return orjson.dumps(value.decode())


def random_state(policy: Mapping[str, str], seed: str, path: str) -> list[int] | None:
    """128 bits for an actor's ``Math.random``: the same in every execution, different for each actor of a run.

    None when the run's policy switches randomness off.
    """
    if policy["random"] != "seeded":
        return None
    return random_words(f"{seed}:{path}")
