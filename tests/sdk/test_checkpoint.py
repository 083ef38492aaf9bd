"""A checkpoint that the TypeScript client takes from the real server, used on the command line and given back to it."""

import os
from pathlib import Path

import orjson

from tests.cli.console import chidori
from tests.front_door.serving import serving
from tests.sdk.test_typescript import PACKAGE, builds_in_place, needs_node, node
from tests.support.process import finished

# Whole floats, integers over 2^53 and numbers as keys are what JavaScript's own JSON changes.
AGENT = """
def agent(f, n, order):
    memory("set", "kept", {"f": f, "n": n, "order": order})
    kept = memory("get", "kept")
    log(type(kept["f"]), n=kept["n"], keys=",".join(kept["order"].keys()))
    return {"f": type(f), "n": str(kept["n"]), "keys": [key for key in kept["order"]]}
"""
INPUT = b'{"f":1.0,"n":9007199254740993,"order":{"2":2.0,"1":1}}'
OUTPUT = {"f": "float", "n": "9007199254740993", "keys": ["2", "1"]}

TAKE_AND_REPLAY = """
import { writeFileSync } from "node:fs";
const [entry, url, file] = process.argv.slice(1);
const { AgentClient, Checkpoint } = await import(entry);
const client = new AgentClient(url);
const checkpoint = await client.getCheckpoint("s1");
writeFileSync(file, checkpoint.text);
const again = Checkpoint.fromJSON(checkpoint.text);
const outputs = [];
for (const source of [checkpoint, again, "s1"]) {
  const session = await client.replay(source);
  outputs.push(session.error ?? session.output);
}
console.log(JSON.stringify(outputs));
"""


@needs_node
@builds_in_place
async def test_what_its_numbers_cannot_hold_comes_through_the_typescript_client(tmp_path: Path) -> None:
    await node("npm", "run", "--silent", "build")
    agent, file, here = tmp_path / "agent.star", tmp_path / "here" / "taken.json", tmp_path / "here"
    agent.write_text(AGENT, encoding="utf-8")
    here.mkdir()
    async with serving(agent, tmp_path) as client:
        run = await client("POST", "/sessions", data=b'{"session_id":"s1","input":%s}' % INPUT)
        assert run.json["output"] == OUTPUT
        entry, env = str(PACKAGE / "dist" / "index.js"), {"PATH": os.environ["PATH"]}
        command = ("node", "--input-type=module", "--eval", TAKE_AND_REPLAY, "--", entry, client.url, str(file))
        code, printed, errors = await finished(*command, cwd=here, env=env)
        assert code == 0, errors
        assert orjson.loads(printed) == [OUTPUT, OUTPUT, OUTPUT]

    imported = chidori(here, "import", "taken.json")
    assert (imported.returncode, imported.stdout, imported.stderr) == (0, "s1\n", "")
    replayed = chidori(here, "replay", "s1")
    assert orjson.loads(replayed.stdout) == OUTPUT, replayed.stderr
    assert chidori(here, "verify", "s1").stdout == "OK: s1\n"
