"""The npm package: its own tests, run by Node, and its authoring types against the runtime."""

import os
import re
import shutil
from pathlib import Path

import orjson
import pytest

from tests.support.process import finished
from tests.support.vm import begin

PACKAGE = Path(__file__).parents[2] / "sdk" / "typescript"
OLDEST_NODE = 20

# An unknown option is refused with the list of the known ones. Which argument holds the options differs by method, so
# each is called in every way; calls that get through wait for a host that is not there.
OPTIONS_OF_EVERY_METHOD = """
  const wrong = { thereIsNoSuchOption: 1 };
  const ways = [["get", "key", wrong], ["text", wrong], ["text", {}, wrong], [[], wrong], [() => 1, wrong]];
  const found = {};
  for (const name of Object.keys(globalThis.chidori)) {
    found[name] = "";
    for (const args of ways) {
      globalThis.chidori[name](...args).catch((error) => {
        if (/unknown option/.test(error.message)) found[name] = error.message;
      });
    }
  }
  for (let turns = 0; turns < 100; turns++) await null;
  return found;
"""


def without_node() -> str | None:
    """Why the package's tools cannot run here; ``None`` when they can."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return f"the TypeScript package is tested with Node {OLDEST_NODE} or newer, which is not installed"
    if not (PACKAGE / "node_modules" / ".bin" / "tsc").exists():
        return "the TypeScript compiler is not installed: `make types` installs it in sdk/typescript"
    return None


MISSING = without_node()
needs_node = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
builds_in_place = pytest.mark.xdist_group("sdk/typescript")
"""For tests that build the package where it is: one process runs them all."""


async def node(*command: str) -> bytes:
    """What a command prints in the package's folder; it has to succeed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CHIDORI_")}
    code, stdout, stderr = await finished(*command, cwd=PACKAGE, env=env)
    assert code == 0, f"{stdout.decode()}\n{stderr}"
    return stdout


@needs_node
@builds_in_place
async def test_the_client_and_the_package_as_it_is_built() -> None:
    printed = (await node("npm", "run", "--silent", "test")).decode()

    counts = {name: int(count) for name, count in re.findall(r"^(?:#|ℹ) (tests|pass) (\d+)$", printed, re.MULTILINE)}
    assert counts["tests"] == counts["pass"] > 0, printed


@needs_node
async def test_what_its_readme_shows_works_in_a_project_that_installs_it_so(tmp_path: Path) -> None:
    # Another test may be building the package where it is.
    package, project = tmp_path / "package", tmp_path / "project"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("node_modules", "dist", "tests"))
    (package / "node_modules").symlink_to(PACKAGE / "node_modules")
    project.mkdir()
    programs = re.findall(r"^```ts\n(.*?)^```$", (PACKAGE / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for number, program in enumerate(programs):
        (project / f"program{number}.ts").write_text(program, encoding="utf-8")
    options = {"strict": True, "noEmit": True, "target": "ES2022", "module": "ES2022", "moduleResolution": "bundler"}
    agents = {"lib": ["ES2023"], "types": ["chidori/globals"]}
    (project / "tsconfig.json").write_bytes(orjson.dumps({"compilerOptions": {**options, **agents}}))
    (project / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")

    await node("npm", "run", "--silent", "--prefix", str(package), "build")
    await node("npm", "install", "--offline", "--no-audit", "--no-fund", "--prefix", str(project), str(package))
    await node("node_modules/.bin/tsc", "--project", str(project))

    assert len(programs) == 2


@needs_node
async def test_the_types_declare_the_methods_and_options_that_the_runtime_has() -> None:
    typed = orjson.loads(await node("node", "tests/list_methods.mjs"))

    assert typed == runtime_methods()


def runtime_methods() -> dict[str, list[str]]:
    """The methods of ``chidori`` in a VM with their options."""
    said: dict[str, str] = begin(OPTIONS_OF_EVERY_METHOD).output
    return {method: sorted(re.findall(r"\w+", message.partition("(known: ")[2])) for method, message in said.items()}
