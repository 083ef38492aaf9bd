"""JSON Schemas of tools: whether one is sound, and what a value breaks of it. Nothing is fetched for a ``$ref``.

Importing this module costs 0.1 s (jsonschema): import it where it is used.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import Any

import orjson
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import UndefinedTypeCheck, UnknownType, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from . import exact_json
from .bounded_validator import ValidationOverran, bounded, validating
from .json_patterns import MatchingStopped, Patterns, UnusablePattern, check_patterns

_SECONDS = 1.0
"""For one validation; ordinary ones take 50 µs, 100,000 numbers half a second. The event loop waits for it."""
_LARGEST_SCHEMA_KB = 128
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError, ZeroDivisionError, UndefinedTypeCheck, UnknownType)
"""What the library raises where a reference leads to something that no draft says anything about."""
_NO_SCHEMA = "a part of it, or what a reference in it leads to, is no schema"
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
        self._validator = bounded(_draft(schema))(schema, registry=REGISTRY)

    def faults(self, arguments: dict[str, Any]) -> list[str]:
        """What ``arguments`` break, as sentences that begin with the place: at most 5 and how many more there are.

        Raises:
            UnusableSchema: the schema turns out to be endless, to lead nowhere, or to go deeper than can be followed.
        """
        try:
            errors = self._errors(arguments)
        except RecursionError:
            raise UnusableSchema("it refers to itself without end, or the arguments are nested too deeply") from None
        except OverflowError:
            return ["an integer is too large to be compared with a fraction"]
        except Unresolvable as error:
            raise UnusableSchema(f"a reference leads nowhere: {error}") from None
        except UnusablePattern as error:
            raise UnusableSchema(str(error)) from None
        except MatchingStopped as error:
            return [str(error)]
        except ValidationOverran:
            return [f"checking them took more than {_SECONDS:g} s: they are too large for this schema"]
        except _MALFORMED:
            raise UnusableSchema(_NO_SCHEMA) from None
        # Sentences take long to make where values are large.
        told = nsmallest(_MOST_FAULTS, errors, key=lambda error: error.json_path)
        lines = [_sentence(error) for error in told]
        more = len(errors) - len(lines)
        return lines if more <= 0 else [*lines, f"and {more} more"]

    def _errors(self, arguments: dict[str, Any]) -> list[ValidationError]:
        patterns = Patterns()
        with validating(_SECONDS, patterns.match):
            while True:
                errors = [_deepest(error) for error in self._validator.iter_errors(arguments)]
                if not patterns.settle():
                    return errors


def schema_fault(schema: dict[str, Any]) -> str | None:
    """Why ``schema`` is no sound JSON Schema, with the place in it; None when it is one."""
    draft = _draft(schema)
    try:
        if len(exact_json.dumps(schema)) > _LARGEST_SCHEMA_KB << 10:
            return f"it is larger than {_LARGEST_SCHEMA_KB} KB"
        # The drafts' own patterns are harmless, and need no engine.
        with validating(_SECONDS, re.search):
            error = best_match(bounded(draft)(draft.META_SCHEMA, registry=REGISTRY).iter_errors(schema))
        if error is not None:
            return _sentence(error)
        return _fault_within(schema)
    except (RecursionError, orjson.JSONEncodeError):
        return "it is nested too deeply"
    except ValidationOverran:
        return f"checking it took more than {_SECONDS:g} s"
    except _MALFORMED:
        return _NO_SCHEMA


def _draft(schema: dict[str, Any]) -> type[Validator]:
    # A draft that nobody knows, or no text at all.
    named = schema if isinstance(schema.get("$schema"), str) else {}
    return validator_for(named, default=Draft202012Validator)


def _fault_within(schema: dict[str, Any]) -> str | None:
    """The first reference that leads nowhere, or what is wrong with a pattern."""
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    todo = [(resource, REGISTRY.resolver_with_root(resource))]
    patterns: list[str] = []
    while todo:
        at, resolver = todo.pop()
        if isinstance(at.contents, dict):
            patterns += _patterns(at.contents)
            reference = at.contents.get("$ref")
            if isinstance(reference, str) and not _resolves(reference, resolver):
                return f"`$ref`: {_quoted(reference)} is not in the schema, and nothing is fetched; put it into `$defs`"
        todo += [(sub, resolver.in_subresource(sub)) for sub in at.subresources()]
    try:
        check_patterns(patterns)
    except UnusablePattern as error:
        return str(error)
    except MatchingStopped:
        return "its patterns are too many or too large"
    return None


def _resolves(reference: str, resolver: Any) -> bool:
    try:
        resolver.lookup(reference)
    except Unresolvable:
        return False
    return True


def _patterns(schema: dict[str, Any]) -> Iterator[str]:
    """The regular expressions that a schema has, without those within."""
    if isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    if isinstance(schema.get("patternProperties"), dict):
        yield from schema["patternProperties"]


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
