"""Whether an agent would start: its modules are compiled and run, and no call of theirs is answered."""

import time

import orjson

from ..languages.bundle import Bundle
from ..settings import Settings
from ..vm.machine import Threw
from .top_level import run_top_level, thrown_fault


def check_agent(bundle: Bundle, settings: Settings) -> None:
    """Find the faults that the transform does not see; top-level code runs, the function ``agent`` does not.

    Raises:
        SourceError: a module does not compile, an import names no export, or top-level code throws or never
            ends.
    """
    entry_code = (
        f"import {{ agent as checked }} from {orjson.dumps(bundle.entry).decode()};\n"
        "export function agent() {\n"
        '  if (typeof checked !== "function") throw new TypeError("`agent` is not a function");\n'
        "}\n"
    )
    for item in run_top_level(bundle, entry_code, settings.runtime_policy, epoch_ms=int(time.time() * 1000)):
        if isinstance(item, Threw):
            raise thrown_fault(item, bundle)
