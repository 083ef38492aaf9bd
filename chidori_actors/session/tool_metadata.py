"""What a tool says of itself: its export ``tool``, read in a VM that has no host."""

import re
from typing import Any

import orjson

from .. import exact_json
from ..errors import SourceError
from ..languages.bundle import Bundle
from ..languages.lexer import Lines, tokenize
from ..placement.need import asked_need
from ..settings import RuntimePolicy
from ..vm.machine import Call, Returned, Said, Threw
from .failure import place_of
from .top_level import fault_at, run_top_level, thrown_fault

_SECONDS = 2.0
"""Definitions take milliseconds; more is a loop that never ends."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
"""What every provider takes."""
_FIELDS = ("name", "description", "parameters", "resources")
_REFUSED = "TypeError: result"
"""How the error begins that names what JSON cannot carry in an agent's result (prelude/json.js)."""
_NO_PARAMETERS = {"type": "object", "properties": {}}


def read_definition(bundle: Bundle, policy: RuntimePolicy) -> str:
    """The tool's definition as JSON text, ``{name, description, parameters, resources?}``; the same at every reading.

    Whether ``parameters`` is sound as a JSON Schema is looked at where it is used (json_schema.py): that takes a
    library which costs more than all the rest of a start.

    Raises:
        SourceError: the code does not load, calls the host, never ends, or ``tool`` is not what it must be.
    """
    entry_code = (
        f"import {{ tool, run }} from {orjson.dumps(bundle.entry).decode()};\n"
        "export function agent() {\n"
        '  if (typeof run !== "function") throw new TypeError("`run` is not a function");\n'
        "  return tool;\n"
        "}\n"
    )
    # The clock stands still: a definition that depends on it must not look like a changed source.
    for item in run_top_level(bundle, entry_code, policy, epoch_ms=0, seconds=_SECONDS):
        _refuse(item, bundle)
        if isinstance(item, Returned):
            value = exact_json.loads(item.output)
            return _definition(exact_json.loads(value) if bundle.language == "starlark" else value, bundle)
    raise SourceError("the code outside of functions waits for something that never happens", path=bundle.entry)


def _refuse(item: Said, bundle: Bundle) -> None:
    if isinstance(item, Call):
        raise fault_at(
            place_of(item.site, bundle),
            f"a host call (`{item.function}`) outside of functions: a tool that is loaded has no host",
            bundle,
            hint="make the call in `run`",
        )
    if isinstance(item, Threw):
        fault = thrown_fault(item, bundle)
        if fault.reason.startswith(_REFUSED):
            raise _fault(f"tool{fault.reason.removeprefix(_REFUSED)}", bundle)
        raise fault


def _definition(value: Any, bundle: Bundle) -> str:
    if not isinstance(value, dict):
        raise _fault("`tool` must be an object: { name, description, parameters }", bundle)
    name, description = value.get("name"), value.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _fault("`tool.name` must be 1 to 64 of A-Z a-z 0-9 _ -", bundle)
    if "__" in name:
        raise _fault(f"`tool.name` is {name!r}: two underscores are for the tools of MCP servers", bundle)
    if not isinstance(description, str) or not description.strip():
        raise _fault("`tool.description` must be a text: models choose a tool by it", bundle)
    others = [key for key in value if key not in _FIELDS]
    if "parameters" not in value and others:
        raise _fault(f"`tool.parameters` is missing and `tool.{others[0]}` is not known", bundle)
    parameters = value.get("parameters", _NO_PARAMETERS)
    _check_shape(parameters, bundle)
    definition = {"name": name, "description": description, "parameters": parameters}
    if "resources" in value:
        try:
            asked_need(value["resources"])
        except ValueError as fault:
            raise _fault(f"`tool.resources` {fault}", bundle) from None
        definition["resources"] = value["resources"]
    # The author's order of parameters is kept: models read them in it.
    return exact_json.dumps(definition).decode()


def _check_shape(parameters: Any, bundle: Bundle) -> None:
    """What most mistakes break, and can be seen without a validator."""
    if not isinstance(parameters, dict):
        raise _fault("`tool.parameters` must be a JSON Schema object", bundle)
    if parameters.get("type") != "object":
        raise _fault('`tool.parameters.type` must be "object": the arguments of a tool have names', bundle)
    properties = parameters.get("properties", {})
    if not isinstance(properties, dict):
        raise _fault("`tool.parameters.properties` must be an object: name to schema", bundle)
    for name, schema in properties.items():
        if not isinstance(schema, dict | bool):
            raise _fault(f"`tool.parameters.properties.{name}` must be a JSON Schema object", bundle)
    required = parameters.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise _fault("`tool.parameters.required` must be an array of names", bundle)


def _fault(message: str, bundle: Bundle) -> SourceError:
    """At the first ``tool`` of the file, which is its declaration or its export."""
    if bundle.language == "starlark":
        return SourceError(message, path=bundle.entry)
    source = bundle.module(bundle.entry).source
    lines = Lines(source)
    for token in tokenize(source):
        if token.text == "tool":
            line, column = lines.place(token.start)
            return fault_at(f"{bundle.entry}:{line}:{column}", message, bundle)
    return SourceError(message, path=bundle.entry)
