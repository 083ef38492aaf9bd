"""Runs plain JavaScript in the engine with the web globals of the prelude, and nothing of an agent."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import quickjs_rs

WEB_GLOBALS = (
    "shared.js",
    "inspect.js",
    "console.js",
    "encoding.js",
    "clone.js",
    "events.js",
    "abort.js",
    "percent.js",
    "url_host.js",
    "url_parser.js",
    "url_setters.js",
    "url_search_params.js",
    "url.js",
)
"""The prelude files that define the web globals, in the order in which they must run."""

COMPLETION = (
    "JSON.stringify({value: globalThis.result === undefined ? globalThis.__completion : globalThis.result})"
)
"""An asynchronous program assigns ``globalThis.result``; of others the last expression counts."""


@cache
def _prelude_source(name: str) -> str:
    return files("chidori_actors.vm").joinpath("prelude", name).read_text(encoding="utf-8")


def as_completion(source: str) -> str:
    """A script that keeps the value of ``source``'s last expression for ``COMPLETION``."""
    return f"globalThis.__completion = (0, eval)({json.dumps(source)}); undefined"


def run_javascript(source: str) -> Any:
    """The JSON-compatible value of the last expression of ``source``, all its jobs done.

    ``undefined`` is None. Raises ``quickjs_rs.JSError`` for what the script throws.
    """
    with quickjs_rs.Runtime() as runtime, runtime.new_context(timeout=30) as context:
        for name in WEB_GLOBALS:
            context.eval(_prelude_source(name), filename=name)
        context.eval(as_completion(source))
        while context._engine_ctx.run_pending_jobs() > 0:  # the package drains jobs only for its own promises
            pass
        return json.loads(context.eval(COMPLETION)).get("value")
