"""JSON Schemas of tools: whether one is sound, and what a value breaks of it. Nothing is fetched for a ``$ref``.

Importing this module costs 0.1 s (jsonschema): import it where it is used.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_MOST_FAULTS = 5
_LONGEST_MESSAGE = 200
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_PYTHON_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b(?:None|True|False)\b""")
_JSON_WORDS = {"None": "null", "True": "true", "False": "false"}


class UnusableSchema(ValueError):
    """A schema that nothing can be checked with; ``str()`` says why and where in it."""


class ArgumentsSchema:
    """A JSON Schema of a tool's arguments, in the draft that it names, otherwise 2020-12."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """
        Raises:
            UnusableSchema: it is no sound schema, or refers to what is not in it.
        """
        fault = schema_fault(schema)
        if fault is not None:
            raise UnusableSchema(fault)
        self.schema = schema
        self._validator = _validator_class(schema)(schema, registry=REGISTRY)

    def faults(self, arguments: dict[str, Any]) -> list[str]:
        """What ``arguments`` break, as sentences that begin with the place: at most 5 and how many more there are.

        Raises:
            UnusableSchema: the schema turns out to be endless, to lead nowhere, or to go deeper than can be followed.
        """
        try:
            errors = [_deepest(error) for error in self._validator.iter_errors(arguments)]
        except RecursionError:
            raise UnusableSchema("it refers to itself without end, or the arguments are nested too deeply") from None
        except OverflowError:
            return ["an integer is too large to be compared with a fraction"]
        except Unresolvable as error:
            raise UnusableSchema(f"a reference leads nowhere: {error}") from None
        lines = [_sentence(error) for error in sorted(errors, key=lambda error: error.json_path)]
        more = len(lines) - _MOST_FAULTS
        return lines if more <= 0 else [*lines[:_MOST_FAULTS], f"and {more} more"]


def schema_fault(schema: dict[str, Any]) -> str | None:
    """Why ``schema`` is no sound JSON Schema, with the place in it; None when it is one."""
    draft = _validator_class(schema)
    meta = draft(draft.META_SCHEMA, registry=REGISTRY, format_checker=draft.FORMAT_CHECKER)
    try:
        error = best_match(meta.iter_errors(schema))
        missing = None if error else next(_missing_references(schema), None)
    except RecursionError:
        return "it is nested too deeply"
    if error is not None:
        return _sentence(error)
    if missing is None:
        return None
    return f"`$ref`: {_quoted(missing)} is not in the schema, and nothing is fetched; put it into `$defs`"


def _validator_class(schema: dict[str, Any]) -> type[Validator]:
    # A draft that nobody knows, or no text at all.
    named = schema if isinstance(schema.get("$schema"), str) else {}
    return validator_for(named, default=Draft202012Validator)


def _missing_references(schema: dict[str, Any]) -> Iterator[str]:
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    todo = [(resource, REGISTRY.resolver_with_root(resource))]
    while todo:
        at, resolver = todo.pop()
        reference = at.contents.get("$ref") if isinstance(at.contents, dict) else None
        if isinstance(reference, str):
            try:
                resolver.lookup(reference)
            except Unresolvable:
                yield reference
        todo += [(sub, resolver.in_subresource(sub)) for sub in at.subresources()]


def _deepest(error: ValidationError) -> ValidationError:
    """Of "matches none of these" the fault in the alternative that was most likely meant."""
    return best_match(iter([error])) or error


def _sentence(error: ValidationError) -> str:
    path = _path(error.absolute_path)
    message = _PYTHON_LITERAL.sub(_as_json, error.message)
    if len(message) > _LONGEST_MESSAGE:
        # The value comes first and the complaint last.
        message = f"{message[: _LONGEST_MESSAGE // 2]}…{message[-_LONGEST_MESSAGE // 2 :]}"
    return f"`{path}`: {message}" if path else message


def _as_json(literal: re.Match[str]) -> str:
    """The validator writes values as Python does; who reads it writes TypeScript, Starlark or JSON."""
    text = literal[0]
    return _JSON_WORDS[text] if text in _JSON_WORDS else _quoted(ast.literal_eval(text))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _path(steps: Iterable[str | int]) -> str:
    """``filters[0].name``; names that are no identifiers in brackets."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _IDENTIFIER.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{_quoted(step)}]"
    return text
