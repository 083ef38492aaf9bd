"""What ``--input`` says: ``key=value``, ``key=@file``, ``@file.json`` or a JSON object."""

import codecs
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from .. import exact_json
from ..errors import UsageError

_FORMS = "use key=value, key=@file, @file.json or a JSON object"
_KINDS = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}


def parse_inputs(texts: Iterable[str]) -> bytes:
    """The agent's input as JSON text: the given ones merged, later ones win; ``{}`` without any.

    Raises:
        UsageError: one of them has no such form, its file cannot be read, or its JSON is wrong.
    """
    merged: dict[str, Any] = {}
    for text in texts:
        merged |= _parse(text)
    try:
        return exact_json.dumps(merged)
    except TypeError as error:
        raise UsageError(f"--input cannot be carried by JSON: {error}", hint="give text as UTF-8, in a file") from None


def _parse(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        name = text[1:]
        return _object(_read(name, text).removeprefix(codecs.BOM_UTF8), name)
    stripped = text.lstrip()
    if stripped.startswith(("{", "[", '"')):
        return _object(text.encode("utf-8", "surrogateescape"), "--input")
    key, equals, value = text.partition("=")
    if not equals:
        return _neither(text)
    if not key:
        raise UsageError(f"--input {text!r} has no key before the `=`", hint=_FORMS)
    return {key: _text(value[1:], text) if value.startswith("@") else value}


def _neither(text: str) -> dict[str, Any]:
    """Refuse ``text``; a JSON value that is no object is told what it is."""
    try:
        return _require_object(exact_json.loads(text), "--input")
    except ValueError:
        raise UsageError(f"--input {text!r} has no `=` and is no JSON object", hint=_FORMS) from None


def _object(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = exact_json.loads(data)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{where}: not JSON at {place}: {error.msg}", hint=_FORMS) from None
    return _require_object(value, where)


def _require_object(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise UsageError(
        f"{where}: an agent's input must be a JSON object, not {_KINDS.get(type(value), 'null')}",
        hint="put it under a key, for example --input '{\"items\": …}'",
    )


def _text(name: str, option: str) -> str:
    try:
        return _read(name, option).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--input {option}: {name} is not UTF-8 text (byte {error.start})") from None


def _read(name: str, option: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"--input {option}: {name or 'a file without a name'} cannot be read: {reason}",
            hint='a value that begins with @ is given as JSON: --input \'{"key": "@…"}\'',
        ) from None
