"""A user's mistakes and a damaged store: one line that says what and how to get out, no traceback, nothing lost."""

import os
from pathlib import Path

import lmdb
import pytest

from .console import assert_refused, chidori, environment, read_run_id, run_id_of, run_program, running

SOUND = 'export async function agent(input, chidori) { await chidori.log("hello"); return input; }\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sound.ts").write_text(SOUND)
    (tmp_path / "no_export.ts").write_text("async function agent() {}\n")
    (tmp_path / "syntax.ts").write_text("export async function agent() {\n  return [1, 2;\n}\n")
    (tmp_path / "notes.md").write_text("no agent")
    (tmp_path / "latin.ts").write_bytes(b"// caf\xe9\nexport const agent = () => 1;\n")
    (tmp_path / "template.ts").write_text(
        'export const agent = (input, chidori) => chidori.template("../../outside.md");\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "texts"),
    [
        (["missing.ts"], 2, ["there is no file missing.ts"]),
        (["a" * 300 + ".ts"], 2, ["a.ts cannot be looked at: File name too long"]),
        (["."], 2, [". is a directory"]),
        (["notes.md"], 2, ["notes.md is no agent", ".ts, .js or .star"]),
        (["no_export.ts"], 1, ["no_export.ts", "exports no function agent", "export async function agent"]),
        (["syntax.ts"], 1, ["Error: syntax.ts:2:", "\n  return [1, 2;\n"]),
        (["latin.ts"], 1, ["latin.ts:1: the file is not UTF-8"]),
        (["template.ts"], 1, ["Error: template.ts:1:", "outside.md"]),
        (["sound.ts", "-i", "words"], 2, ["--input 'words'", "key=value"]),
        (["sound.ts", "-i", "{a: 1}"], 2, ["not JSON at line 1, column 2"]),
        (["sound.ts", "-i", "a=@nowhere"], 2, ["nowhere cannot be read"]),
        (["sound.ts", "-i", "[]"], 2, ["must be a JSON object, not an array"]),
    ],
)
def test_a_run_that_cannot_be_is_refused(folder: Path, arguments: list[str], code: int, texts: list[str]) -> None:
    assert_refused(chidori(folder, "run", *arguments), code, *texts)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"CHIDORI_DURABILITY": "perhaps"}, "CHIDORI_DURABILITY is 'perhaps'"),
        ({"CHIDORI_TS_DATE": "host"}, "CHIDORI_TS_DATE=host"),
        ({"CHIDORI_POLICY": "{"}, "CHIDORI_POLICY"),
        ({"CHIDORI_POLICY_FILE": "nowhere.json"}, "nowhere.json cannot be read"),
    ],
)
def test_a_bad_setting_is_named(folder: Path, setting: dict[str, str], text: str) -> None:
    assert_refused(chidori(folder, "run", "sound.ts", env=environment(folder, **setting)), 2, text)
    assert not (folder / ".chidori").exists()


@pytest.mark.parametrize("command", [["resume", "sound.ts"], ["replay"]])
def test_an_unknown_run_is_not_found(folder: Path, command: list[str]) -> None:
    assert_refused(chidori(folder, *command, "nothing"), 1, "no store at", "CHIDORI_DB_PATH")
    assert chidori(folder, "run", "sound.ts").returncode == 0
    assert_refused(chidori(folder, *command, "nothing"), 1, "no run nothing in the store", "chidori runs")
    assert_refused(chidori(folder, *command, "a/b"), 1, "'a/b' is not a run id")


def test_a_store_of_a_newer_version_is_left_alone(folder: Path) -> None:
    run_id = run_id_of(chidori(folder, "run", "sound.ts"))
    _overwrite(folder, b"meta", b"format", b"99")
    for command in (["run", "sound.ts"], ["resume", "sound.ts", run_id], ["replay", run_id], ["verify", run_id]):
        assert_refused(chidori(folder, *command), 1, "written by a newer version", "upgrade chidori-actors")


def test_a_file_in_the_stores_place_is_left_alone(folder: Path) -> None:
    (folder / "precious").write_text("mine")
    env = environment(folder, CHIDORI_DB_PATH="precious")
    assert_refused(chidori(folder, "run", "sound.ts", env=env), 1, "precious is a file, not a store")
    assert (folder / "precious").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / "locked").mkdir(mode=0o500)
    env = environment(folder, CHIDORI_DB_PATH="locked/store")
    assert_refused(chidori(folder, "run", "sound.ts", env=env), 1, "permission denied")


@pytest.mark.parametrize("database", [b"lanes", b"runs"])
def test_a_corrupted_record_is_told(folder: Path, database: bytes) -> None:
    run_id = run_id_of(chidori(folder, "run", "sound.ts"))
    _overwrite(folder, database, None, b"\x00garbage\xff")
    for command in (["replay", run_id], ["resume", "sound.ts", run_id]):
        assert_refused(chidori(folder, *command), 1, "damaged")
    verified = chidori(folder, "verify", run_id)
    assert verified.stdout.startswith(f"FAILED: {run_id}: ")
    assert "damaged" in verified.stdout
    assert verified.returncode == 1


def _overwrite(folder: Path, database: bytes, key: bytes | None, value: bytes) -> None:
    """Change the store behind its back: that key's value, or the first one."""
    store = lmdb.open(str(folder / ".chidori/store"), max_dbs=32)
    handle = store.open_db(database)
    with store.begin(write=True) as transaction:
        if key is None:
            cursor = transaction.cursor(db=handle)
            assert cursor.first()
            key = bytes(cursor.key())
        assert transaction.put(key, value, db=handle)
    store.close()


def test_a_run_that_is_under_way_has_one_owner(folder: Path) -> None:
    (folder / "waits.ts").write_text(
        "export const agent = () => new Promise((resolve) => setTimeout(resolve, 600_000));"
    )
    with running(folder, "run", "waits.ts") as process:
        run_id = read_run_id(process)
        refused = chidori(folder, "resume", "waits.ts", run_id)
    assert_refused(refused, 1, f"run {run_id} is owned by", f"pid {process.pid}")


def test_a_bug_of_ours_is_admitted_with_the_way_to_continue(folder: Path) -> None:
    program = (
        "import sys\n"
        "from chidori_actors.cli import run_command\n"
        "from chidori_actors.cli.reports import ConsoleReport\n"
        "def broken(self, path, call): raise ZeroDivisionError('a bug')\n"
        "ConsoleReport.call_started = broken\n"
        "sys.exit(run_command(['run', 'sound.ts']))\n"
    )
    result = run_program(folder, program)
    run_id = run_id_of(result)
    assert_refused(
        result,
        1,
        "Error: internal error: ZeroDivisionError: a bug",
        f"`chidori resume sound.ts {run_id}`",
        "CHIDORI_DEBUG=1",
    )
    assert "Traceback" in run_program(folder, program, CHIDORI_DEBUG="1").stderr
