"""Records, manifest and checkpoint files: the shapes of the wire contract, and the way back."""

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest

from chidori_actors import exact_json
from chidori_actors.errors import ChidoriError, ManifestMismatch, StoreError
from chidori_actors.journal.checkpoint import parse_checkpoint
from chidori_actors.journal.checkpoint_export import export_checkpoint
from chidori_actors.journal.checkpoint_lanes import calls_by_actor, checkpoint_entries
from chidori_actors.journal.json_text import milliseconds_since_1970, parse_json, rfc3339
from chidori_actors.journal.lanes import Entry, Settled, Started
from chidori_actors.journal.manifest import Engine, build_manifest, check_manifest
from chidori_actors.journal.records import call_records
from chidori_actors.journal.runs import ABI, RunMeta
from chidori_actors.journal.tree import RunTree, TreeActor

AT = 1_700_000_000_123
POLICY = {"typescript_imports": "relative", "date": "fixed", "random": "seeded", "maps_sets": "serialize"}
META = RunMeta(
    id="run-1",
    agent="agents/a.ts",
    status="paused",
    input=b'{"document":"text"}',
    created_at_ms=AT,
    updated_at_ms=AT + 5,
    seed="0f",
    epoch_ms=AT,
    lane=1,
    policy=POLICY,
    pending=({"seq": 5, "kind": "input", "prompt": "Go on?"},),
)
LANE: list[Entry] = [
    Started(1, 1, 0, "prompt", b'{"text":"hi"}', AT, site="a.ts:3:5"),
    Started(2, 2, 0, "http", b'{"method":"POST"}', AT + 1),
    Started(3, 3, 0, "log", b'{"message":"m"}', AT + 1),
    Settled(
        2,
        1,
        AT + 40,
        39,
        error={"message": "no", "name": "TimeoutError", "data": {"status": 0}},
        notes={"attempts": 3},
    ),
    Settled(1, 2, AT + 90, 90, value=b'"a\\ud83d"', token_usage={"input_tokens": 3, "output_tokens": 1}),
    Started(4, 4, 2, "http", b"{}", AT + 91),
    Started(5, 5, 2, "input", b'{"prompt":"Go on?"}', AT + 91),
    Settled(3, 3, AT + 99, 98, cancelled="cancelled"),
    Settled(4, 4, AT + 99, 8, cancelled="outcome unknown"),
]
SOURCE: dict[str, Any] = {"entry": {"path": "a.ts", "hash": "sha256:00"}, "modules": [], "module_graph": []}
ENGINE = Engine("quickjs-rs 0.2.6", "ab", 1)


def test_records_have_the_contract_s_shape_in_the_order_in_which_calls_ended() -> None:
    records = call_records(LANE, origin_run_id="origin")
    assert [record["seq"] for record in records] == [2, 1, 3, 4]
    assert records[0] == {
        "seq": 2,
        "function": "http",
        "args": {"method": "POST"},
        "result": None,
        "duration_ms": 39,
        "timestamp": "2023-11-14T22:13:20.124Z",
        "error": "no",
        "error_name": "TimeoutError",
        "error_data": {"status": 0},
        "path": "2",
        "actor": "",
        "index": 1,
        "origin_run_id": "origin",
        "attempts": 3,
    }
    assert records[1]["result"] == "a\ufffd"
    assert records[1]["token_usage"] == {"input_tokens": 3, "output_tokens": 1}
    assert "error" not in records[1]
    assert [record["error"] for record in records[2:]] == ["cancelled", "cancelled: outcome unknown"]
    assert [record["result"] for record in records[2:]] == [None, None]
    assert orjson.dumps(records)


def test_a_record_of_a_child_names_its_actor_and_container() -> None:
    call = Started(2, 9, 0, "log", b"{}", AT, parent_seq=7)
    (record,) = call_records([call, Settled(2, 1, AT, 1, value=b"null", notes={"seq": 0})], actor="4/b1")
    assert (record["path"], record["actor"], record["parent_seq"], record["seq"]) == ("4/b1/2", "4/b1", 7, 9)


def test_a_result_without_its_call_is_named() -> None:
    with pytest.raises(StoreError, match="call 3 has a result and was never made"):
        call_records([Settled(3, 1, AT, 1, value=b"1")])


def test_what_a_server_answers_is_a_checkpoint_too() -> None:
    answer = {"id": "s1", "run_id": "s1", "status": "failed", "input": 1, "call_log": [], "snapshot_manifest": None}
    checkpoint = parse_checkpoint(orjson.dumps(answer))
    assert (checkpoint.session_id, checkpoint.status, checkpoint.run) == ("s1", "failed", None)
    for fault, text in (({"id": 3}, "`id` is not a string"), ({"status": 3}, "`status` is not a string")):
        with pytest.raises(ChidoriError, match=text):
            parse_checkpoint(orjson.dumps(answer | fault))


@pytest.mark.parametrize("at_ms", [0, 1, 999, AT, 253402300799999])
def test_times_come_back_to_the_millisecond(at_ms: int) -> None:
    assert milliseconds_since_1970(rfc3339(at_ms)) == at_ms
    assert milliseconds_since_1970(rfc3339(at_ms).replace("Z", "456789+00:00")) == at_ms


def test_what_javascript_reads_as_json_is_read() -> None:
    assert parse_json(b'{"\\ud83d":["\\ud83d\\ude00","\\udc00x"]}') == {"\ufffd": ["😀", "\ufffdx"]}
    assert parse_json(b"1e400") == float("inf")
    numbers = [18446744073709551615, -(2**63), 2**64, -(2**63) - 1, 10**30, 1e30]
    read = parse_json(
        b'["\\ud83d",18446744073709551615,-9223372036854775808,18446744073709551616,'
        b"-9223372036854775809,1000000000000000000000000000000,1e30]"
    )
    assert read == ["\ufffd", *numbers]
    assert [type(number) for number in read[1:]] == [int, int, int, int, int, float]
    with pytest.raises(ValueError, match="line 1"):
        parse_json(b"{")


def test_the_manifest_says_how_the_run_stands() -> None:
    manifest = build_manifest(META, [("", LANE)], source=SOURCE, engine=ENGINE, snapshot_file="images/1/2")
    assert manifest["abi"] == {
        "typescript_runtime": 1,
        "quickjs_snapshot": 1,
        "engine_fork": "chidori-quickjs",
    }
    assert manifest["policy"] == {**POLICY, "deterministic_seed": "0f", "epoch_ms": AT}
    assert manifest["snapshot_kind"] == "image"
    assert manifest["call_log_len"] == 4
    assert manifest["pending"] == {
        "id": "5",
        "seq": 5,
        "kind": "input",
        "function": "input",
        "args": {"prompt": "Go on?"},
        "created_at": rfc3339(AT + 91),
        "after": 2,
    }
    states = [promise["state"] for promise in manifest["host_promises"]]
    assert states == [
        {"resolved": {"value": "a\ufffd", "completed_at": rfc3339(AT + 90)}},
        {"rejected": {"error": "no", "completed_at": rfc3339(AT + 40)}},
        "pending",
        "pending",
        "pending",
    ]
    assert build_manifest(META, [("", LANE)], source=SOURCE)["snapshot_kind"] == "replay"
    assert build_manifest(META, [("", LANE[:1] + LANE[4:5])], source=SOURCE)["pending"] is None


def test_abi_and_policy_are_compared_in_this_order_in_the_contract_s_words() -> None:
    recorded = build_manifest(META, [("", LANE)], source=SOURCE)
    check_manifest(recorded, {"abi": dict(ABI), "policy": POLICY})
    newer = {"abi": {**ABI, "quickjs_snapshot": 2}, "policy": {**POLICY, "date": "disabled"}}
    abi = "runtime snapshot ABI mismatch: snapshot has quickjs_snapshot=1, runtime expects quickjs_snapshot=2"
    with pytest.raises(ManifestMismatch, match=re.escape(abi)):
        check_manifest(recorded, newer)
    policy = "runtime snapshot policy mismatch: snapshot has date=fixed, runtime expects date=disabled"
    with pytest.raises(ManifestMismatch, match=re.escape(policy)) as caught:
        check_manifest(recorded, {**newer, "abi": dict(ABI)})
    assert caught.value.hint
    with pytest.raises(ManifestMismatch, match="ABI mismatch: snapshot has typescript_runtime=nothing"):
        check_manifest({}, {"abi": dict(ABI), "policy": POLICY})


def _scrubbed(entry: Entry) -> Entry:
    """The entry as it is after its lone surrogate went through a document in UTF-8."""
    if isinstance(entry, Settled) and entry.value is not None:
        return replace(entry, value=orjson.dumps(parse_json(entry.value)))
    return entry


def test_an_exported_run_is_imported_as_it_was() -> None:
    manifest = build_manifest(META, [("", LANE)], source=SOURCE)
    done = replace(META, output=b"[1]")
    tree = RunTree([TreeActor(1, LANE, 1)])
    data = export_checkpoint(done, tree, manifest=manifest, bundle=b'{"a":\t1}', bundles={})
    checkpoint = parse_checkpoint(data)
    assert checkpoint.session_id == "run-1"
    assert checkpoint.input == META.input
    assert checkpoint.bundle == b'{"a":\t1}'
    assert checkpoint.manifest == manifest
    assert checkpoint.run is not None
    assert (checkpoint.run["seed"], checkpoint.run["epoch_ms"], checkpoint.run["output"]) == ("0f", AT, [1])
    ended = {entry.ordinal for entry in LANE if isinstance(entry, Settled)}
    expected = [_scrubbed(entry) for entry in LANE if entry.ordinal in ended]
    assert checkpoint_entries(calls_by_actor(checkpoint.call_log)[""], ours=checkpoint.run is not None) == expected


def _foreign(seq: int, **fields: Any) -> dict[str, Any]:
    record = {"seq": seq, "function": "log", "args": {}, "result": None, "duration_ms": 2}
    return {**record, "timestamp": "2026-01-01T00:00:00.5+01:00", "token_usage": None, **fields}


def _file(*records: Any, **fields: Any) -> bytes:
    return orjson.dumps({"session_id": "s", "input": None, "call_log": list(records), **fields})


def test_a_foreign_checkpoint_gets_its_paths_from_the_order_of_seq() -> None:
    data = _file(_foreign(3, result=[1]), _foreign(2, parent_seq=1), _foreign(1, error="failed"))
    checkpoint = parse_checkpoint(data)
    at = milliseconds_since_1970("2025-12-31T23:00:00.500Z")
    assert checkpoint_entries(calls_by_actor(checkpoint.call_log)[""], ours=checkpoint.run is not None) == [
        Started(1, 1, -1, "log", b"{}", at),
        Started(2, 3, -1, "log", b"{}", at),
        Settled(2, 1, at + 2, 2, value=b"[1]"),
        Settled(1, 2, at + 2, 2, error={"message": "failed", "name": "Error", "data": {}}),
    ]


def test_integers_beyond_64_bits_are_exact() -> None:
    number = b"123456789012345678901234567890"
    data = (
        b'{"session_id":"s","input":{"n":%b,"half":"\\ud83d"},"call_log":[{"seq":1,"function":"log",'
        b'"args":{"n":%b},"result":[%b],"timestamp":"2026-01-01T00:00:00Z"}]}' % (number, number, number)
    )
    checkpoint = parse_checkpoint(data)
    assert parse_json(checkpoint.input) == {"n": int(number), "half": "\ufffd"}
    started, settled = checkpoint_entries(calls_by_actor(checkpoint.call_log)[""], ours=checkpoint.run is not None)
    assert isinstance(started, Started)
    assert isinstance(settled, Settled)
    assert parse_json(started.args) == {"n": int(number)}
    assert parse_json(settled.value or b"") == [int(number)]
    assert exact_json.dumps(call_records([started, settled])).count(number) == 2


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"session_id":"s","call_log":[],"input":' + b"[" * 300 + b"]" * 300 + b"}", "nested too deeply"),
        (b"[]", "it is not an object"),
        (b"{}", "`session_id` is missing"),
        (b'{"session_id":1,"input":1,"call_log":[]}', "`session_id` is not a string"),
        (b'{"session_id":"s","call_log":[]}', "`input` is missing"),
        (b'{"session_id":"s","input":1,"call_log":{}}', "`call_log` is not an array"),
        (_file("x"), "record 1 of `call_log` is not an object"),
        (_file(_foreign(1), {"seq": 2}), "record 2 of `call_log`: `function` is missing"),
        (_file(_foreign(0)), "`seq` is not a whole number from 1"),
        (_file({**_foreign(1), "seq": True}), "`seq` is not a whole number from 1"),
        (_file(_foreign(1, timestamp="soon")), "`timestamp` is not a time"),
        (_file(_foreign(1, error={})), "`error` is not a string"),
        (_file(_foreign(1, path="b1")), "`path` is not a path"),
        (_file(_foreign(1, duration_ms="2")), "`duration_ms` is not a number"),
        (
            _file(_foreign(1, path="4"), _foreign(2, path="4")),
            "two records of `call_log` are of the same call",
        ),
        (_file(_foreign(1), _foreign(1)), "two records of `call_log` are of the same call"),
        (_file(bundle=3), "`bundle` is not a string"),
        (_file(run=[]), "`run` is not an object"),
        (_file(snapshot_manifest="x"), "`snapshot_manifest` is not an object"),
    ],
)
def test_a_bad_checkpoint_file_is_refused_with_the_place(data: bytes, text: str) -> None:
    with pytest.raises(ChidoriError, match=re.escape(text)) as caught:
        parse_checkpoint(data)
    assert caught.value.hint
