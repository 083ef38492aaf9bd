import pytest

from chidori_actors.languages.imports import read_module_syntax

STATIC = """
import a from "./a"; import { b as c, "from" as d } from './b.js';
import * as e from "./e"; import f, { from } from "./f" with { type: "json" };
import "./g";
export { h as i, j } from "./h"; export * from "./k"; export * as l from "./l";
const m = "import x from './no'"; // import n from "./no"
"""


def test_static_imports_and_re_exports_are_found() -> None:
    syntax = read_module_syntax(STATIC)
    assert [i.specifier for i in syntax.imports] == [
        *("./a", "./b.js", "./e", "./f", "./g", "./h", "./k", "./l"),
    ]
    assert (syntax.imports[1].line, syntax.imports[1].column) == (2, 58)
    assert syntax.stars == ("./k",)
    assert syntax.exports == {"i", "j", "l"}


@pytest.mark.parametrize(
    "code",
    [
        'const x = await import("./x");',
        "`${import(x)}`",
        'import("./x")\n{ }',
        "import.source('x')",
        "f(import /* c */ ('x'))",
        "class A { m() { return import(x); } }",
    ],
)
def test_dynamic_imports_are_found(code: str) -> None:
    assert read_module_syntax(code).dynamic is not None


@pytest.mark.parametrize(
    "code",
    [
        "obj.import(x)",
        "obj?.import(x)",
        "const o = { import(x) {} }",
        "class A { async import(x) { } static import() {} }",
        "const o = { import: 1 }",
        "// import('x')",
        "/* import('x') */",
        "'import(x)'",
        "`import(x)`",
        "/import(x)/.test(s)",
        "import.meta.url",
        "import x from 'y'",
    ],
)
def test_what_only_looks_like_a_dynamic_import_is_fine(code: str) -> None:
    assert read_module_syntax(code).dynamic is None


@pytest.mark.parametrize(
    "code",
    [
        "export function agent() {}",
        "export async function agent() {}",
        "export const agent = f;",
        "export const x = [1, 2], agent = f;",
        "export const { agent } = x;",
        "export { x as agent };",
        "export { agent, y } from './x';",
        'export { x as "agent" };',
        "export * as agent from './x'",
    ],
)
def test_an_exported_agent_is_seen(code: str) -> None:
    assert "agent" in read_module_syntax(code).exports


@pytest.mark.parametrize(
    "code",
    [
        "function agent() {}",
        "export { agent as x };",
        "export default agent;",
        "export const x = agent;",
        "x.export",
    ],
)
def test_an_agent_that_is_not_exported_is_not_seen(code: str) -> None:
    assert "agent" not in read_module_syntax(code).exports
