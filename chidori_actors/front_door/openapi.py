"""The OpenAPI document, from the route table and the schemas."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from aiohttp import web

from .history_schemas import HISTORY_SCHEMAS
from .inspection_schemas import INSPECTION_SCHEMAS
from .route_table import PATH_PARAMETERS, ROUTES, SESSION_ID, Answer, Parameter, Route
from .schemas import SCHEMAS, Schema, reference

_PATH_PARAMETER = re.compile(r"{(\w+)}")
_ERROR = "Error"


def document() -> Schema:
    """OpenAPI 3.1: every route of the table, without the console's pages, and event paths, which are any other path."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "chidori", "version": package_version(), "description": "Sessions of durable agents."},
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **INSPECTION_SCHEMAS, **HISTORY_SCHEMAS},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


async def openapi(request: web.Request) -> web.Response:
    """``GET /openapi.json``."""
    return web.Response(body=_text(), content_type="application/json")


@cache
def _text() -> bytes:
    return orjson.dumps(document())


def _operation(route: Route) -> Schema:
    operation: Schema = {
        "operationId": route.handler,
        "summary": route.summary,
        "parameters": [*_path_parameters(route.path), *map(_parameter, route.parameters)],
        "responses": _responses(route),
    }
    if not route.needs_key:
        operation["security"] = []
    if route.body is not None:
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {"application/json": {"schema": reference(route.body)}},
        }
    return operation


def _path_parameters(path: str) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS.get(name, SESSION_ID)}
        for name in _PATH_PARAMETER.findall(path)
    ]


def _parameter(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": False,
        "description": parameter.text,
        "schema": parameter.schema,
    }


def _responses(route: Route) -> Schema:
    return {str(each.status): _response(each) for each in (*route.answers, *_answers_of_all(route))}


def _answers_of_all(route: Route) -> list[Answer]:
    """What the route shares with others of its kind."""
    found = []
    if route.needs_key:
        found.append(Answer(401, "The key is missing or wrong.", _ERROR))
    if route.body is not None:
        found.append(Answer(400, "The body is not JSON, or a name is not one.", _ERROR))
        found.append(Answer(408, "The body takes too long.", _ERROR))
        found.append(Answer(413, "The body is too large.", _ERROR))
        found.append(Answer(415, "The body is packed in a way that is not known.", _ERROR))
        found.append(Answer(417, "`Expect` is not 100-continue.", _ERROR))
        found.append(Answer(422, "A field is missing or wrong.", _ERROR))
    if route.starts:
        found.append(Answer(500, "The agent cannot be loaded, or the store not be written.", _ERROR))
        found.append(Answer(503, "The server is busy or stopping.", _ERROR))
    return found


def _response(answer: Answer) -> Schema:
    schema: Schema = {"type": "string"} if answer.schema is None else reference(answer.schema)
    response: Schema = {"description": answer.text, "content": {answer.media: {"schema": schema}}}
    if answer.status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if answer.status == 503:
        response["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    return response


def package_version() -> str:
    """The version of this package."""
    try:
        return version("chidori-actors")
    except PackageNotFoundError:  # run from a source tree
        return "0"
