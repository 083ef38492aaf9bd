"""JSON schemas of what the server takes and gives (wire contract, sections 1, 4 and 5), by name."""

from collections.abc import Mapping
from typing import Any, get_args

from ..history import INTERRUPTED
from ..journal.runs import Status
from ..policy import Profile

Schema = dict[str, Any]

RUN_ID = r"^[A-Za-z0-9_.:-]{1,128}$"
AGENT_NAME = r"^[A-Za-z0-9._-]{1,122}\.(ts|star)$"
UNREACHABLE_IDS = ("stream", ".", "..")
"""Ids that the path of a session cannot have: the first is a route of its own, clients take the others out."""

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "integer", "minimum": 0}
SEQ: Schema = {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}
NUMBER_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": 2**53 - 1}
FLAG_OR_NULL: Schema = {"type": ["boolean", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
ID: Schema = {"type": "string", "pattern": RUN_ID}
STATUS: Schema = {"type": "string", "enum": list(get_args(Status))}
WAITING = "waiting"
WANTED_STATUSES = (*get_args(Status), INTERRUPTED, WAITING)
"""What sessions can be asked for by: ``interrupted`` ones are ``running``, ``waiting`` ones have an open question."""


def reference(name: str) -> Schema:
    """The schema of that name, from within the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def given(**fields: Schema) -> Schema:
    """An object that always has all of these fields, and may have more."""
    return {"type": "object", "required": list(fields), "properties": fields}


def _with_optional(schema: Schema, **fields: Schema) -> Schema:
    return {**schema, "properties": {**schema["properties"], **fields}}


_OPERATION = given(id=TEXT, seq=NUMBER, kind=TEXT, function=TEXT, args=ANY, created_at=TIME)
_SETTLED = {
    "anyOf": [
        {"const": "pending"},
        given(resolved=given(value=ANY, completed_at=TIME)),
        given(rejected=given(error=TEXT, completed_at=TIME)),
    ]
}
_FILE = given(path=TEXT, hash=TEXT_OR_NULL)
_BRANCH = given(parent_run_id=TEXT, parallel_op_id=TEXT_OR_NULL, branch_index=NUMBER_OR_NULL)
_STANDING = {
    "agent": TEXT,
    "updated_at": TIME,
    "live": {"type": "boolean"},
    "interrupted": {"type": "boolean"},
    "branch": nullable(given(parent_run_id=TEXT, at_seq=NUMBER_OR_NULL)),
    "imported": {"type": "boolean"},
}
"""Where a session comes from and whether it goes on."""
_CHANGED = {"allow_source_change": FLAG_OR_NULL}

SCHEMAS: Mapping[str, Schema] = {
    "Error": _with_optional(given(error=TEXT), hint=TEXT_OR_NULL, acquire_timeout_ms=NUMBER),
    "Document": given(openapi=TEXT, info={"type": "object"}, paths={"type": "object"}),
    "Event": given(
        id={"type": "string", "pattern": "^[0-9]+$"},
        event={"type": "string", "enum": ["call", "prompt_start", "prompt_delta", "prompt_end", "done"]},
        data={"type": "string", "contentMediaType": "application/json"},
    ),
    "Health": given(status={"const": "ok"}),
    "Server": given(
        version=TEXT,
        agents={"type": "boolean"},
        store=TEXT,
        read_only={"type": "boolean"},
        needs_key={"type": "boolean"},
    ),
    "Agents": given(agents=list_of(given(name=TEXT, default={"type": "boolean"}))),
    "Question": given(
        seq=NUMBER,
        path=TEXT,
        kind={"type": "string", "enum": ["input", "approval", "in_doubt"]},
        prompt=TEXT,
        choices=nullable(list_of(TEXT)),
        default=TEXT_OR_NULL,
        details=ANY,
        target=TEXT_OR_NULL,
        args=ANY,
        reason=TEXT_OR_NULL,
    ),
    "Session": given(
        id=ID,
        run_id=ID,
        status=STATUS,
        input=ANY,
        output=ANY,
        error=TEXT_OR_NULL,
        call_count=NUMBER,
        pending_seq=NUMBER_OR_NULL,
        pending_prompt=TEXT_OR_NULL,
        pending_details=ANY,
        pending_approval=nullable(given(target=TEXT_OR_NULL, args=ANY, reason=TEXT_OR_NULL)),
        pending=list_of(reference("Question")),
        created_at=TIME,
    ),
    "SessionDetails": {
        "allOf": [
            reference("Session"),
            given(
                recorded_calls=NUMBER,
                live_calls=NUMBER,
                totals=given(
                    prompts=NUMBER,
                    input_tokens=NUMBER,
                    output_tokens=NUMBER,
                    cost_usd={"type": ["number", "null"]},
                    cost=TEXT,
                ),
                retriable={"type": "boolean"},
                source_available={"type": "boolean"},
                store=TEXT,
                agent_path=TEXT,
                policy_profile=TEXT_OR_NULL,
                **_STANDING,
            ),
        ]
    },
    "SessionListItem": given(
        id=ID,
        run_id=ID,
        status=STATUS,
        error=TEXT_OR_NULL,
        created_at=TIME,
        pending_prompt=TEXT_OR_NULL,
        pending_count=NUMBER,
        pending_kind=TEXT_OR_NULL,
        call_count=NUMBER,
        attempt_number=NUMBER_OR_NULL,
        **_STANDING,
    ),
    "SessionPage": given(sessions=list_of(reference("SessionListItem")), next_cursor=TEXT_OR_NULL, version=TEXT),
    "Record": _with_optional(
        given(
            seq=NUMBER,
            function=TEXT,
            args=ANY,
            result=ANY,
            duration_ms={"type": "number"},
            timestamp=TIME,
            path=TEXT,
            actor=TEXT,
            index=NUMBER,
            origin_run_id=TEXT_OR_NULL,
        ),
        parent_seq=NUMBER,
        error=TEXT,
        token_usage=given(input_tokens=NUMBER, output_tokens=NUMBER),
    ),
    "Operation": _OPERATION,
    "Manifest": given(
        run_id=ID,
        abi=given(typescript_runtime=NUMBER, quickjs_snapshot=NUMBER, engine_fork=TEXT),
        snapshot_kind=TEXT,
        policy=given(
            typescript_imports=TEXT_OR_NULL,
            date=TEXT_OR_NULL,
            random=TEXT_OR_NULL,
            maps_sets=TEXT_OR_NULL,
            deterministic_seed=TEXT,
            epoch_ms=NUMBER,
        ),
        entry=_FILE,
        modules=list_of(_FILE),
        module_graph=list_of(given(path=TEXT, imports=list_of(given(specifier=TEXT, resolved_path=TEXT_OR_NULL)))),
        pending=nullable(reference("Operation")),
        host_promises=list_of(given(operation=reference("Operation"), state=_SETTLED)),
        branch=nullable(_BRANCH),
        call_log_len=NUMBER,
        snapshot_file=TEXT_OR_NULL,
        created_at=TIME,
    ),
    # A whole checkpoint file, as `chidori import` takes it.
    "Checkpoint": _with_optional(
        given(
            id=ID,
            run_id=ID,
            session_id=ID,
            status=STATUS,
            input=ANY,
            call_log=list_of(reference("Record")),
            snapshot_manifest=reference("Manifest"),
        ),
        bundle=TEXT,
    ),
    "Snapshot": given(id=ID, run_id=ID, snapshot_manifest=reference("Manifest")),
    "Replayed": given(id=ID, replayed_from=ID, status=STATUS, output=ANY),
    "Cancelled": _with_optional(
        given(
            id=ID,
            status=STATUS,
            active={"type": "boolean"},
            attempt_number=NUMBER_OR_NULL,
            reason=TEXT_OR_NULL,
        ),
        actor=TEXT_OR_NULL,
        seq=NUMBER_OR_NULL,
    ),
    "RecordedCall": given(seq=SEQ, function=TEXT, args=ANY, timestamp=TIME),
    "NewSession": _with_optional(
        given(input=ANY),
        session_id=nullable({**ID, "not": {"enum": list(UNREACHABLE_IDS)}}),
        attempt_number=NUMBER_OR_NULL,
        agent=nullable({"type": "string", "pattern": AGENT_NAME}),
        replay_from=nullable(list_of(reference("RecordedCall"))),
        policy_profile=nullable({"type": "string", "enum": list(get_args(Profile))}),
    ),
    "Resume": {
        "type": "object",
        "properties": {"response": TEXT, "seq": NUMBER_OR_NULL, "retry": FLAG_OR_NULL, **_CHANGED},
        "anyOf": [{"required": ["response"]}, given(retry={"const": True})],
    },
    "Approve": _with_optional(given(decision=TEXT), seq=NUMBER_OR_NULL, **_CHANGED),
    "Cancel": {
        "type": "object",
        "properties": {"reason": TEXT_OR_NULL, "actor": TEXT_OR_NULL, "seq": NUMBER_OR_NULL},
        "not": given(actor=TEXT, seq=NUMBER),
    },
    "Branch": {
        **_with_optional(given(at=SEQ), result=ANY, error=TEXT, note=TEXT_OR_NULL),
        "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
    },
}
"""The fields of a body that may be left out are those that are not ``required``; unknown ones are ignored."""
