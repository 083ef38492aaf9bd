"""The OpenAPI document: whole, and true of what the server answers."""

from dataclasses import asdict, replace
from typing import Any

import jsonschema
import pytest

from chidori_actors.front_door.history_routes import HistoryRoutes
from chidori_actors.front_door.inspection_routes import InspectionRoutes
from chidori_actors.front_door.openapi import document
from chidori_actors.front_door.route_table import ROUTES
from chidori_actors.front_door.session_list import Standing, list_item
from chidori_actors.front_door.session_routes import SessionRoutes
from chidori_actors.front_door.views import session_view
from chidori_actors.host.function import Question
from chidori_actors.journal.lanes import Entry, Settled, Started
from chidori_actors.journal.manifest import Engine, build_manifest
from chidori_actors.journal.records import call_records
from chidori_actors.journal.runs import RunMeta
from chidori_actors.settings import Settings

from .small_app import routed, served

HANDLERS = (SessionRoutes, InspectionRoutes, HistoryRoutes)
META = RunMeta(
    id="run-1",
    agent="a.ts",
    status="running",
    input=b"{}",
    created_at_ms=1,
    updated_at_ms=1,
    seed="00",
    epoch_ms=0,
    lane=1 << 32,
    policy={"typescript_imports": "relative", "date": "fixed", "random": "seeded", "maps_sets": "serialize"},
)
QUESTION = Question(
    seq=3, path="3", kind="approval", prompt="May I?", choices=("allow", "deny"), target="http", args={}
)
LANE: list[Entry] = [
    Started(1, 1, 0, "prompt", b'{"model": "m"}', 0),
    Started(2, 2, 0, "input", b"{}", 0, parent_seq=1),
    Started(3, 3, 0, "http", b"{}", 0),
    Settled(1, 1, 5, 1.5, value=b'"x"', token_usage={"input_tokens": 1, "output_tokens": 2}),
    Settled(2, 2, 5, 1.5, error={"message": "no", "name": "Error"}),
]
SOURCE = {
    "entry": {"path": "a.ts", "hash": "sha256:00"},
    "modules": [{"path": "b.ts", "hash": "sha256:01"}],
    "module_graph": [{"path": "a.ts", "imports": [{"specifier": "./b", "resolved_path": "b.ts"}]}],
}


def valid(name: str, value: Any) -> bool:
    """Whether ``value`` is as the schema of that name says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"].rpartition("/")[2]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    whole = document()
    for schema in whole["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    schemas = set(whole["components"]["schemas"])
    assert references(whole) <= schemas
    assert schemas == references(whole), "a schema that nothing uses"


def test_every_route_is_described_once() -> None:
    described = [
        (method.upper(), path, operation["operationId"])
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    ]
    assert sorted(described) == sorted((route.method, route.path, route.handler) for route in ROUTES)
    assert len({handler for _, _, handler in described}) == len(described)


def test_every_session_handler_has_a_route() -> None:
    handlers = {name for kind in HANDLERS for name in vars(kind) if not name.startswith("_")}
    assert handlers == {route.handler for route in ROUTES} - {"metrics", "openapi"}


def test_no_answer_is_described_twice() -> None:
    for route in ROUTES:
        statuses = [answer.status for answer in route.answers]
        assert len(set(statuses)) == len(statuses), route
        described = document()["paths"][route.path][route.method.lower()]["responses"]
        for answer in route.answers:
            assert described[str(answer.status)]["description"] == answer.text


def test_what_needs_a_key_says_so() -> None:
    paths = document()["paths"]
    assert paths["/health"]["get"]["security"] == []
    assert "401" not in paths["/health"]["get"]["responses"]
    assert "401" in paths["/sessions"]["get"]["responses"]


@pytest.mark.parametrize(
    "meta",
    [
        META,
        replace(META, status="completed", output=b'{"a": 1}', call_count=3),
        replace(META, status="failed", error={"message": "no", "location": "a.ts:1:2"}),
        replace(
            META,
            status="paused",
            pending=(
                {
                    "seq": 1,
                    "path": "1",
                    "kind": "input",
                    "prompt": "?",
                    "choices": None,
                    "default": None,
                    "details": None,
                    "target": None,
                    "args": None,
                },
            ),
        ),
    ],
)
def test_views_are_as_described(meta: RunMeta) -> None:
    assert valid("Session", session_view(meta, None))
    assert valid("Session", session_view(meta, [asdict(QUESTION)]))
    item = list_item(Standing(meta, False, False, meta.pending), 3)
    assert valid("SessionPage", {"sessions": [item], "next_cursor": None, "version": "1"})


def test_views_that_lack_a_field_are_not() -> None:
    view = session_view(META, None)
    for name in set(view) - {"warnings", "error_details"}:
        assert not valid("Session", {key: value for key, value in view.items() if key != name}), name
    assert not valid("Session", {**view, "status": "done"})


def test_checkpoints_are_as_described() -> None:
    records = call_records(LANE, origin_run_id="run-1")
    assert len(records) == 2
    built = build_manifest(META, [("", LANE)], source=SOURCE, engine=Engine("e", "g", 1), snapshot_file="images/1/2")
    assert len(built["host_promises"]) == 3
    assert built["pending"]["seq"] == 3
    ids = dict.fromkeys(("id", "run_id", "session_id"), "run-1")
    checkpoint = {**ids, "status": "running", "input": {}, "call_log": records}
    assert valid("Checkpoint", {**checkpoint, "snapshot_manifest": built})
    branch = {"parent_run_id": "run-0", "at_seq": 2, "at_index": 1}
    other = build_manifest(replace(META, branch=branch), [], source={**SOURCE, "entry": {"path": "a", "hash": None}})
    assert valid("Snapshot", {"id": "run-1", "run_id": "run-1", "snapshot_manifest": other})
    assert not valid("Checkpoint", {**checkpoint, "snapshot_manifest": None})


@pytest.mark.parametrize(
    ("name", "body", "right"),
    [
        ("NewSession", {"input": None}, True),
        ("NewSession", {"input": 1, "agent": None, "session_id": "a:b", "attempt_number": 3, "unknown": 1}, True),
        ("NewSession", {}, False),
        ("NewSession", {"input": 1, "session_id": "a b"}, False),
        ("NewSession", {"input": 1, "agent": "../a.ts"}, False),
        ("NewSession", {"input": 1, "agent": "a.b.star"}, True),
        ("NewSession", {"input": 1, "agent": "a.js"}, False),
        ("NewSession", {"input": 1, "session_id": "stream"}, False),
        ("NewSession", {"input": 1, "session_id": ".."}, False),
        ("NewSession", {"input": 1, "policy_profile": "untrusted"}, True),
        ("NewSession", {"input": 1, "policy_profile": "root"}, False),
        ("NewSession", {"input": 1, "replay_from": "x"}, False),
        ("NewSession", {"input": 1, "replay_from": [{"seq": 1}]}, False),
        ("Resume", {"response": "yes", "seq": 3}, True),
        ("Resume", {"retry": True}, True),
        ("Resume", {"retry": False}, False),
        ("Resume", {}, False),
        ("Resume", {"response": 3}, False),
        ("Approve", {"decision": "allow"}, True),
        ("Approve", {}, False),
        ("Cancel", {}, True),
        ("Cancel", {"reason": 1}, False),
        ("Cancel", {"actor": "7/b1"}, True),
        ("Cancel", {"seq": "7"}, False),
        ("Cancel", {"actor": None, "seq": 7}, True),
        ("Cancel", {"actor": "7/b1", "seq": 7}, False),
        ("Branch", {"at": 1, "result": None}, True),
        ("Branch", {"at": 1, "error": "no", "note": "n"}, True),
        ("Branch", {"at": 1}, False),
        ("Branch", {"at": 1, "result": 1, "error": "no"}, False),
        ("Branch", {"result": 1}, False),
    ],
)
def test_bodies_are_described_as_they_are_read(name: str, body: dict[str, Any], right: bool) -> None:
    assert valid(name, body) == right


async def test_the_document_is_served() -> None:
    async with served(routed(Settings())) as send:
        told = await send("GET", "/openapi.json")
    assert told.headers["Content-Type"] == "application/json"
    assert told.json == document()
    assert valid("Document", told.json)
