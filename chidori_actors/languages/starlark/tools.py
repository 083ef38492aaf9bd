"""What a tool in Starlark says of itself: name, docstring and parameters of its function."""

import ast
import json
from typing import Any

from .constants import Constants, constants, fold
from .names import Names
from .source import Source

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_ANNOTATED = {one.__name__: name for one, name in _TYPES.items()}


def definition(source: Source, tree: ast.Module, names: Names, name: str) -> str:
    """The tool's definition as JSON text: ``{name, description, parameters}``.

    Types come from annotations and from defaults that are constants; a parameter that has neither can be anything, and
    one whose default is None can be null.

    Raises:
        SourceError: there is no function ``name``, or it has no docstring.
    """
    found = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    if not found:
        hint = f"write: def {name}(…): …, or name it _{name}.star when it is for other files to load"
        raise source.fault((1, 1), f"the file defines no function `{name}`", hint)
    function = found[-1]
    described = (ast.get_docstring(function) or "").strip()
    if not described:
        hint = 'write """What it does.""" below the def: models choose a tool by it'
        raise source.fault(function, f"the tool `{name}` has no docstring", hint)
    parameters = _schema(function.args, constants(tree, names))
    value = {"name": name, "description": described.splitlines()[0].strip(), "parameters": parameters}
    return json.dumps(value, ensure_ascii=False)


def _schema(args: ast.arguments, known: Constants) -> dict[str, Any]:
    first = len(args.args) - len(args.defaults)
    given: list[tuple[ast.arg, ast.expr | None]] = [
        (one, args.defaults[index - first] if index >= first else None) for index, one in enumerate(args.args)
    ]
    given += zip(args.kwonlyargs, args.kw_defaults, strict=True)
    properties = {one.arg: _property(one, value, known) for one, value in given}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [one.arg for one, value in given if value is None]
    if required:
        schema["required"] = required
    if args.kwarg is None:
        schema["additionalProperties"] = False
    return schema


def _property(parameter: ast.arg, default: ast.expr | None, known: Constants) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if isinstance(parameter.annotation, ast.Name) and parameter.annotation.id in _ANNOTATED:
        described["type"] = _ANNOTATED[parameter.annotation.id]
    if default is None:
        return described
    try:
        value = fold(default, known)
        json.dumps(value, allow_nan=False)
    except ValueError:  # no constant, or what JSON cannot carry
        return described
    if value is not None:
        described.setdefault("type", _TYPES[type(value)])
    elif "type" in described:
        described["type"] = [described["type"], "null"]
    return described | {"default": value}
