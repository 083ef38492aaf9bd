"""``chidori check``."""

from pathlib import Path

import pytest

from .console import assert_refused, chidori


def test_a_sound_agent_is_ok_and_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "helper.js").write_text("export const helper = () => 1;")
    (tmp_path / "sound.ts").write_text(
        'import { helper } from "./helper.js";\n'
        "export async function agent() { throw new Error(`${helper()} was run`); }\n"
    )
    result = chidori(tmp_path, "check", "sound.ts")
    assert (result.stdout, result.stderr, result.returncode) == ("OK: sound.ts\n", "", 0)
    assert not (tmp_path / ".chidori").exists()


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("syntax.ts", "export async function agent() {\n  const x: number = ;\n}\n", "syntax.ts:2:21: "),
        ("twice.js", "const a = 1;\nconst a = 2;\nexport function agent() {}\n", "twice.js:2:1: SyntaxError"),
        (
            "throws.ts",
            "type T = null;\nconst y: any = null as T;\ny.foo();\nexport function agent() {}\n",
            "throws.ts:3:3: TypeError: cannot read property 'foo' of null\n  y.foo();",
        ),
        ("value.ts", "export const agent = 1;\n", "value.ts: TypeError: `agent` is not a function"),
        ("none.ts", "export const other = 1;\n", "none.ts: the file exports no function agent"),
        (
            "link.ts",
            'import { no } from "./none";\nexport const agent = () => no;\n',
            "link.ts:1:10: SyntaxError: Could not find export 'no'",
        ),
        (
            "fault.star",
            "def agent():\n  return lenn([])\n",
            "fault.star:2:10: Variable `lenn` not found, did you mean `len`?",
        ),
        ("top.star", "X = 1 // 0\ndef agent(): pass\n", "top.star:1:5: StarlarkError: Floor division by zero"),
        ("no.star", "x = 1\n", "no.star: the file has no function agent"),
        ("npm.ts", 'import axios from "axios";\nexport const agent = axios;\n', "npm.ts:1:19: "),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, name: str, source: str, said: str) -> None:
    (tmp_path / "none.ts").write_text("export const other = 1;\n")
    (tmp_path / name).write_text(source)
    assert_refused(chidori(tmp_path, "check", name), 2, f"Error: {name}", said)


def test_top_level_code_that_calls_the_host_is_no_fault_and_never_answered(tmp_path: Path) -> None:
    (tmp_path / "early.ts").write_text('const name = await chidori.input("Name?");\nexport const agent = () => name;\n')
    assert chidori(tmp_path, "check", "early.ts").stdout == "OK: early.ts\n"
