"""``template``: inline and from files, with errors that name the place."""

from pathlib import Path
from typing import Any

import pytest

from chidori_actors.host.function import HostError
from chidori_actors.host.template import FUNCTION, is_template_path
from tests.support.services import make_services, run_function


async def render(project: Path, template: object, variables: object = None) -> Any:
    return await run_function(FUNCTION, {"template": template, "vars": variables}, make_services(project))


def write(project: Path, **files: str) -> None:
    (project / "prompts").mkdir()
    for name, text in files.items():
        (project / "prompts" / f"{name}.jinja").write_text(text)


async def test_an_inline_template_is_filled_and_nothing_is_escaped(tmp_path: Path) -> None:
    assert await render(tmp_path, "Hi {{ who }}!\n", {"who": "<Ann> & Bob"}) == "Hi <Ann> & Bob!"
    assert await render(tmp_path, "Just text.") == "Just text."


async def test_a_file_is_found_beside_the_agent_with_what_it_includes(tmp_path: Path) -> None:
    write(
        tmp_path,
        base="[{% block b %}{% endblock %}]",
        part="part {{ x }}",
        main="{% extends 'prompts/base.jinja' %}{% block b %}{% include 'prompts/part.jinja' %}{% endblock %}",
    )
    assert await render(tmp_path, "prompts/main.jinja", {"x": 1}) == "[part 1]"


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("a.jinja", True),
        ("my notes.txt", True),
        ("dir/file", True),
        ("yes or no / maybe", False),
        ("{{ x }}.txt", False),
        ("a\n.txt", False),
        ("{# c #}a.md", False),
        ("plain", False),
    ],
)
def test_what_is_taken_for_a_path(text: str, is_path: bool) -> None:
    assert is_template_path(text) is is_path


@pytest.mark.parametrize("path", ["/etc/passwd.txt", "../a.txt", "a/../../b.txt", "C:\\a.txt", "..\\a.txt", "\\a.txt"])
async def test_a_path_outside_the_project_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(HostError) as refused:
        await render(tmp_path, path)
    assert str(refused.value).startswith(f"template: {path} is outside the project")
    with pytest.raises(HostError, match="is outside the project"):
        await render(tmp_path, "{% include p %}", {"p": path})


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"^template: prompts/no\.jinja was not found; .* agent's folder$"):
        await render(tmp_path, "prompts/no.jinja")


async def test_an_undefined_variable_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, part="a\n\n{{ title }}", main="x\n{% include 'prompts/part.jinja' %}")
    with pytest.raises(HostError, match=r"^template: <template>:2: 'who' is undefined; give it in"):
        await render(tmp_path, "Hi\n{{ who }}")
    with pytest.raises(HostError, match=r"^template: prompts/part\.jinja:3: 'title' is undefined"):
        await render(tmp_path, "prompts/main.jinja")
    with pytest.raises(HostError, match=r"has no attribute 'b'"):
        await render(tmp_path, "{{ a.b }}", {"a": {}})


DOUBLING = "{%% set ns = namespace(s='x') %%}{%% for i in range(60) %%}{%% set ns.s = %s %%}{%% endfor %%}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n{% if %}", r"^template: <template>:2: "),
        ("\n{{ 1 / 0 }}", r"^template: <template>:2: division by zero"),
        ("{{ ''.__class__ }}", "SecurityError|unsafe"),
        ("{{ xs.append(1) }}", "unsafe|not safely"),
        ("{% for i in range(10000000) %}{% endfor %}", "[Rr]ange too big"),
        ("{{ 'a' * 10000000000 }}", "longer than 1048576 bytes"),
        ("{{ [0] * 10000000000 }}", "longer than 1048576 bytes"),
        ("{{ 10 ** 100000000 }}", "exponent over 1000"),
        ("{% for i in range(20) %}{{ 'a' * 100000 }}{% endfor %}", "longer than 1048576 bytes"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls itself without end"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "the template ran for 1 s"),
        ("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}", "ran for 1 s"),
        (DOUBLING % "ns.s ~ ns.s", "longer than 1048576 bytes"),
        (DOUBLING % "ns.s + ns.s", "longer than 1048576 bytes"),
        (DOUBLING % "[ns.s, ns.s]" + "{{ ns.s }}", "longer than 1048576 bytes|ran for 1 s"),
        (DOUBLING % "[ns.s, ns.s]" + "{{ ns.s | string }}", "longer than 1048576 bytes|ran for 1 s"),
        ("{{ ((2 ** 1000) ** 1000) ** 1000 }}", "more than 16384 bits"),
        ("{{ 'x' | center(1000000000) }}", "a number over 1048576"),
        ("{{ 'x'.ljust(1000000000) }}", "a number over 1048576"),
        ("{{ '%1000000000d' % 1 }}", "a field that wide"),
        ("{{ '%*d' % (1000000000, 1) }}", "a field that wide"),
        ("{{ '{:{}}'.format(1, 1000000000) }}", "a field that wide"),
        ("{{ ('x' * 1000000) | replace('x', 'y' * 1000000) }}", "could be longer"),
        ("{{ ('y' * 1000000).join(('x' * 100000) | list) }}", "could be longer"),
        ("{{ range }}", "only texts, numbers, lists and objects can be printed; call it with"),
        ("{{ xs.index ~ 1 }}", "can be printed; call it with"),
        ("{{1}}" * 300_000, "longer than 1048576 bytes"),
    ],
)
async def test_faults_and_bombs_are_errors(tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(HostError, match=message):
        await render(tmp_path, template, {"xs": []})


async def test_bad_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="the template must be a string"):
        await render(tmp_path, 1)
    with pytest.raises(HostError, match="the variables must be an object"):
        await render(tmp_path, "x", [1])
