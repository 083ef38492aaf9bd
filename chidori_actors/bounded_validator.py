"""The validators of jsonschema with bounds: the clock is looked at before each keyword, patterns are matched elsewhere,
and nothing takes time that grows with the square of a value.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from jsonschema import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing.jsonschema import lookup_recursive_ref

from .canonical import canonical

Faults = Iterator[ValidationError]
_extend: Any = extend  # typed in part only


class ValidationOverran(Exception):
    """A validation took longer than it may."""


class _Validation:
    """What is going on now. Validations neither overlap nor nest: nothing in one of them waits."""

    __slots__ = ("deadline", "match")

    def __init__(self, seconds: float, match: Callable[[str, str], object]) -> None:
        self.deadline = time.perf_counter() + seconds
        self.match = match

    def keep_time(self) -> None:
        if time.perf_counter() > self.deadline:
            raise ValidationOverran


_validation: ContextVar[_Validation] = ContextVar("validation")


@contextmanager
def validating(seconds: float, match: Callable[[str, str], object]) -> Iterator[None]:
    """Bounds what validators of ``bounded`` do in here; ``match`` says whether a pattern is found in a text.

    Raises:
        ValidationOverran: it took longer than ``seconds``.
    """
    token = _validation.set(_Validation(seconds, match))
    try:
        yield
    finally:
        _validation.reset(token)


@cache
def bounded(draft: type[Validator]) -> type[Validator]:
    """The validator of ``draft`` for use within ``validating``."""
    keywords = dict(draft.VALIDATORS)
    keywords |= {name: keyword for name, keyword in _KEYWORDS.items() if name in keywords}
    made: type[Validator] = _extend(draft, {name: _timed(keyword) for name, keyword in keywords.items()})
    evolve: Callable[..., Validator] = made.evolve

    def evolve_bounded(validator: Validator, **changes: Any) -> Validator:
        # jsonschema takes its own, unbounded class for a schema within that names its draft.
        schema = changes.get("schema")
        if isinstance(schema, dict) and "$schema" in schema:
            changes["schema"] = {name: value for name, value in schema.items() if name != "$schema"}
        return evolve(validator, **changes)

    type.__setattr__(made, "evolve", evolve_bounded)
    return made


def _timed(keyword: Any) -> Any:
    def timed(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[ValidationError] | None:
        _validation.get().keep_time()
        found: Iterable[ValidationError] | None = keyword(validator, value, instance, schema)
        return found

    return timed


def _matches(pattern: str, text: str) -> bool:
    return bool(_validation.get().match(pattern, text))


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Faults:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any) -> Faults:
    if isinstance(instance, dict):
        for pattern, wanted in patterns.items():
            for name, value in instance.items():
                if _matches(pattern, name):
                    yield from validator.descend(value, wanted, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Faults:
    if not isinstance(instance, dict):
        return
    patterns = schema.get("patternProperties", {})
    named = schema.get("properties", {})
    extra = [name for name in instance if name not in named and not any(_matches(p, name) for p in patterns)]
    if wanted is False and extra and patterns:
        verb = "does" if len(extra) == 1 else "do"
        yield ValidationError(f"{_listed(sorted(extra))} {verb} not match any of the regexes: {_listed(patterns)}")
    else:
        yield from _refused("Additional properties", validator, wanted, instance, extra)


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Faults:
    if unique and isinstance(instance, list) and len({canonical(item) for item in instance}) < len(instance):
        yield ValidationError(f"{instance!r} has non-unique elements")


def _unevaluated_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Faults:
    if isinstance(instance, dict):
        others = {name: value for name, value in schema.items() if name != "unevaluatedProperties"}
        evaluated = _evaluated(validator, instance, others, _evaluated_properties)
        rest = [name for name in instance if name not in evaluated]
        yield from _refused("Unevaluated properties", validator, wanted, instance, rest)


def _unevaluated_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Faults:
    if isinstance(instance, list):
        others = {name: value for name, value in schema.items() if name != "unevaluatedItems"}
        evaluated = _evaluated(validator, instance, others, _evaluated_items)
        rest = [place for place in range(len(instance)) if place not in evaluated]
        yield from _refused("Unevaluated items", validator, wanted, instance, rest)


_KEYWORDS = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
}


def _refused(what: str, validator: Any, wanted: Any, instance: Any, places: list[Any]) -> Faults:
    """What those places break of ``wanted``."""
    if wanted is False and places:
        verb = "was" if len(places) == 1 else "were"
        shown = [instance[place] for place in places] if isinstance(instance, list) else sorted(places)
        yield ValidationError(f"{what} are not allowed ({_listed(shown)} {verb} unexpected)")
    elif wanted is not False:
        for place in places:
            yield from validator.descend(instance[place], wanted, path=place)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(repr, values))


Evaluated = Callable[[Any, Any, Mapping[str, Any]], Collection[Any]]


def _evaluated(validator: Any, instance: Any, schema: Any, own: Evaluated) -> set[Any]:
    """The names or places in ``instance`` that a schema looks at, and those schemas that hold beside it."""
    _validation.get().keep_time()
    if not isinstance(schema, dict):
        return set()
    found = set(own(validator, instance, schema))
    for inner, beside in _beside(validator, instance, schema):
        if inner.is_valid(instance):
            found |= _evaluated(inner, instance, beside, own)
    return found


def _beside(validator: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The schemas for the same value that are within ``schema``, each with its validator."""
    resolver = validator._resolver  # nothing public gives it
    resolved = [resolver.lookup(schema[name]) for name in ("$ref", "$dynamicRef") if name in schema]
    if "$recursiveRef" in schema:
        resolved.append(lookup_recursive_ref(resolver))
    for target in resolved:
        yield validator.evolve(schema=target.contents, _resolver=target.resolver), target.contents
    within = [sub for name in ("allOf", "anyOf", "oneOf") for sub in schema.get(name, ())]
    if isinstance(instance, dict):
        within += [sub for name, sub in schema.get("dependentSchemas", {}).items() if name in instance]
    if "if" in schema:
        holds = validator.evolve(schema=schema["if"]).is_valid(instance)
        within += [schema["if"], schema.get("then", True)] if holds else [schema.get("else", True)]
    for sub in within:
        yield validator.evolve(schema=sub), sub


def _evaluated_properties(validator: Any, instance: Any, schema: Mapping[str, Any]) -> Collection[str]:
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        return list(instance)
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return [name for name in instance if name in named or any(_matches(pattern, name) for pattern in patterns)]


def _evaluated_items(validator: Any, instance: Any, schema: Mapping[str, Any]) -> Collection[int]:
    every = range(len(instance))
    items = schema.get("items")
    if "unevaluatedItems" in schema or isinstance(items, dict | bool) or (items and "additionalItems" in schema):
        return every
    found = set(range(len(schema.get("prefixItems", items or ()))))
    if "contains" in schema:
        wanted = validator.evolve(schema=schema["contains"])
        found |= {place for place in every if wanted.is_valid(instance[place])}
    return found
