"""What the TypeScript compiler checks: the authoring types, the example agents and their tools, the console."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from tests.support.examples import ROOT
from tests.support.process import SECONDS

SDK = ROOT / "sdk" / "typescript"
CONSOLE = ROOT / "chidori_actors" / "console"
TSC = SDK / "node_modules" / "typescript" / "bin" / "tsc"

pytestmark = pytest.mark.skipif(
    which("node") is None or not TSC.is_file(),
    reason="needs Node.js and the TypeScript compiler: `make types` installs the latter in sdk/typescript",
)


def tsc(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["node", str(TSC), "--pretty", "false", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.parametrize("project", ["sdk/typescript", "agents", "chidori_actors/console/jsconfig.json"])
def test_a_project_has_no_type_errors(project: str) -> None:
    checked = tsc("--project", project)

    assert (checked.stdout, checked.returncode) == ("", 0)


def test_every_agent_and_tool_is_checked() -> None:
    listed = tsc("--project", "agents", "--listFilesOnly").stdout.splitlines()

    checked = {Path(line) for line in listed}
    assert {path.resolve() for path in (ROOT / "agents").rglob("*.ts")} <= checked


def test_every_module_of_the_console_is_checked() -> None:
    listed = tsc("--project", str(CONSOLE / "jsconfig.json"), "--listFilesOnly").stdout.splitlines()

    modules = set((CONSOLE / "static").resolve().rglob("*.js"))
    assert modules
    assert modules <= {Path(line) for line in listed}


def test_misuse_is_a_type_error_where_it_stands(tmp_path: Path) -> None:
    agent = tmp_path / "agent.ts"
    agent.write_text(
        'import type { Chidori } from "chidori";\n'
        "export async function agent(input: object, chidori: Chidori) {\n"
        '  return await chidori.prompt("a", { temprature: 1 });\n'
        "}\n",
        encoding="utf-8",
    )
    project = tmp_path / "tsconfig.json"
    project.write_text(
        f'{{"extends": "{SDK}/tsconfig.json", "include": ["agent.ts", "{SDK}/globals.d.ts"]}}', encoding="utf-8"
    )

    checked = tsc("--project", str(project))

    assert checked.returncode == 2
    assert "agent.ts(3,38): error" in checked.stdout
    assert "temprature" in checked.stdout
