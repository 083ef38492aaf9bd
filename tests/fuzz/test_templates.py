"""Templates and their paths, damaged: a text, or an error that the agent can catch; nothing from outside."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

from chidori_actors.host.function import HostError
from chidori_actors.host.template import FUNCTION
from chidori_actors.languages.bundle import Bundle
from chidori_actors.templates import template_reader
from tests.support.services import make_services, run_function

from .mangling import corpus, examples, fuzz, mangled_bytes

TEMPLATES = (
    b"{% for x in items %}{{ loop.index }}: {{ x.name|upper }}\n{% else %}none{% endfor %}",
    b"{% extends 'prompts/base.jinja' %}{% block b %}{{ '\\u00e4' ~ items[0].name ~ 3 * 7 ** 2 }}{% endblock %}",
    b"{% macro m(a, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m(items|length) }}{# a comment #}{% set y = 1 %}{{ y // 2 }}",
    b"prompts/base.jinja",
)
PATHS = (
    b"prompts/base.jinja",
    b"../secret.txt",
    b"prompts/../../secret.txt",
    b"prompts\\..\\secret.txt",
    b"out/secret.txt",
)
BUNDLE = Bundle("agent.ts", (), ())
SECRET = "the text outside of the project"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text(SECRET)
    folder = tmp_path / "project"
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts" / "base.jinja").write_text("[{% block b %}{% endblock %}]")
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop.txt").symlink_to("loop.txt")
    return folder


def _render(project: Path, template: str) -> None:
    variables = {"items": [{"name": "\ud800"}, {"name": "b"}]}
    with contextlib.suppress(HostError):
        services = replace(make_services(project), read_template=template_reader(BUNDLE, project))
        assert SECRET not in asyncio.run(run_function(FUNCTION, {"template": template, "vars": variables}, services))


@examples
def test_a_template_is_a_text_or_an_error_in_words(examples: int, project: Path) -> None:
    given = mangled_bytes(TEMPLATES).map(lambda data: data.decode("utf-8", "surrogateescape"))
    fuzz(examples, given, lambda template: _render(project, template))


@examples
def test_no_path_leads_out_of_the_project(examples: int, project: Path) -> None:
    parts = st.sampled_from(["..", ".", "out", "prompts", "secret.txt", "base.jinja", "loop.txt", "", "C:", "~"])
    made = st.lists(parts, min_size=1, max_size=5).flatmap(
        lambda names: st.sampled_from("/\\").map(lambda by: by.join(names))
    )
    spoilt = mangled_bytes(PATHS).map(lambda data: data.decode("utf-8", "surrogateescape"))
    fuzz(examples, made | spoilt, lambda path: _render(project, path))


def test_templates_that_once_broke_it(project: Path) -> None:
    for template in corpus("templates"):
        _render(project, template.decode())
