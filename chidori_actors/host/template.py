"""``template``: prompt text from a Jinja template, inline or in a file beside the agent."""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import orjson

from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject
from .unicode import without_lone_surrogates

if TYPE_CHECKING:
    from .template_engine import TemplateEngine

_SUFFIXES = (".jinja", ".jinja2", ".j2", ".txt", ".md")
_MARKUP = re.compile(r"\n|\{[{%#]")


def is_template_path(template: str) -> bool:
    """Whether the text names a file instead of being a template itself."""
    if _MARKUP.search(template):
        return False
    return template.endswith(_SUFFIXES) or ("/" in template and " " not in template)


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    variables = args.get("vars")
    return {"template": args.get("template"), "vars": {} if variables is None else variables}


def _read(path: str, services: HostServices) -> str:
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor
    if absolute or ".." in re.split(r"[/\\]", path):
        raise HostError(f"template: {path} is outside the project; give a path below the agent's folder")
    text = services.read_template(path)
    if text is None:
        raise HostError(f"template: {path} was not found; it was looked for at that path in the agent's folder")
    return text


def _engine(services: HostServices) -> "TemplateEngine":
    from .template_engine import TemplateEngine  # jinja2 costs 0.1 s, which a run without templates saves

    return TemplateEngine(lambda path: _read(path, services))


async def _run(call: HostCall, services: HostServices) -> HostResult:
    template, variables = call.args.get("template"), call.args.get("vars")
    if not isinstance(template, str):
        raise HostError("template: the template must be a string")
    if not isinstance(variables, dict):
        raise HostError("template: the variables must be an object")
    engine = _engine(services)
    if is_template_path(template):
        text = engine.render_file(template, variables)
    else:
        text = engine.render_text(template, variables)
    # A template can write half of an emoji as an escape.
    return HostResult(orjson.dumps(without_lone_surrogates(text)))


FUNCTION = HostFunction(name="template", run=_run, record_args=_record_args)
