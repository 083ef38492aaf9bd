"""The sessions API (wire contract, section 1): a handler per route, each a few lines over ``Sessions``."""

import re
from typing import TYPE_CHECKING, Any, cast, get_args

from aiohttp import web

from .. import exact_json
from ..errors import StoreError
from ..history import manifest
from ..journal.run_ids import is_run_id
from ..journal.runs import RunMeta
from ..policy import Profile
from ..runtime import Runtime
from ..session.live_parts import Part
from ..transfer import export_run
from .agents import Agents
from .cancelling import CancelledSessions
from .continuing import ContinuedSessions
from .creating import NewSession, NewSessions
from .edits import read_edit
from .event_stream import stream_session
from .list_watch import ListWatch
from .live_runs import Handle
from .openapi import package_version
from .refusal import Refused
from .request_body import BodyFields, read_fields
from .schemas import UNREACHABLE_IDS, WANTED_STATUSES
from .session_details import SessionDetails
from .session_list import SessionList, Wanted
from .sessions import Sessions
from .views import View, as_it_stands, raw_json, session_view

if TYPE_CHECKING:
    from multidict import MultiMapping

_DEFAULT_LIMIT = 50
_LARGEST_LIMIT = 500
LONGEST_WAIT_S = 25
"""So long an answer may be waited for: less than what gives up a connection on its way."""
_EVENT_ID = re.compile(r"[0-9]{1,15}")
_LIMIT = re.compile(r"[0-9]{1,9}")
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class SessionRoutes:
    """The handlers, by the names that the route table has for them."""

    def __init__(self, runtime: Runtime, sessions: Sessions, new: NewSessions, agents: Agents) -> None:
        self._store = runtime.store
        self._sessions = sessions
        self._new = new
        self._continued = ContinuedSessions(runtime, agents, sessions)
        self._cancelled = CancelledSessions(runtime, sessions)
        self._agents = agents
        self._needs_key = runtime.settings.api_key is not None
        self._list = SessionList(runtime.store, sessions.runs)
        self._watch = ListWatch(runtime.store, sessions.runs)
        self._details = SessionDetails(runtime.store, self._list)

    # -- looking ----------------------------------------------------------------------------------------------------

    async def health(self, request: web.Request) -> web.Response:
        return answer(200, {"status": "ok"})

    async def get_server(self, request: web.Request) -> web.Response:
        server = {
            "version": package_version(),
            "agents": self._agents.default is not None,
            "store": str(self._store.path),
            "read_only": False,
            "needs_key": self._needs_key,
        }
        return answer(200, server)

    async def list_agents(self, request: web.Request) -> web.Response:
        default = None if self._agents.default is None else self._agents.default.name
        return answer(200, {"agents": [{"name": name, "default": name == default} for name in self._agents.names()]})

    async def list_sessions(self, request: web.Request) -> web.Response:
        query = request.query
        wanted, limit, wait = _wanted(query), _limit(query.get("limit")), _wait(query.get("wait"))
        if (after := query.get("after")) is not None:
            await self._watch.changed(after, wait)
        version = self._watch.version()
        try:
            page = await self._list.page(wanted, limit, query.get("cursor"))
        except StoreError as error:
            raise Refused(422, str(error)) from error
        return answer(200, {"sessions": page.items, "next_cursor": page.next_cursor, "version": version})

    async def get_session(self, request: web.Request) -> web.Response:
        session_id = _id(request)
        view = await self._view(session_id)
        return answer(200, view | await self._details.of(self._sessions.meta(session_id)))

    async def get_checkpoint(self, request: web.Request) -> web.Response:
        meta = self._sessions.meta(_id(request))
        head = {"id": meta.id, "run_id": meta.id, "status": meta.status}
        # A whole checkpoint file: what a client keeps of it can be imported, source included.
        return web.Response(body=export_run(self._store, meta, head=head), content_type="application/json")

    async def get_snapshot(self, request: web.Request) -> web.Response:
        meta = self._sessions.meta(_id(request))
        return answer(200, {"id": meta.id, "run_id": meta.id, "snapshot_manifest": manifest(self._store, meta)})

    async def stream_session(self, request: web.Request) -> web.StreamResponse:
        return await stream_session(request, self._sessions, self._store, _id(request), _after(request))

    # -- changing ---------------------------------------------------------------------------------------------------

    async def create_session(self, request: web.Request) -> web.Response:
        handle = await self._new.create(await _new_session(request))
        return await self._answered(request, 201, handle)

    async def create_and_stream(self, request: web.Request) -> web.StreamResponse:
        handle = await self._new.create(await _new_session(request))
        return await stream_session(request, self._sessions, self._store, handle.id, 0)

    async def resume_session(self, request: web.Request) -> web.Response:
        session_id, fields = _id(request), await read_fields(request)
        self._sessions.meta(session_id)
        changed = fields.flag("allow_source_change")
        if fields.flag("retry"):
            return await self._answered(request, 200, await self._continued.retry(session_id, changed=changed))
        seq = fields.optional_number("seq")
        handle = await self._continued.resume(session_id, fields.text("response"), seq, changed=changed)
        return await self._answered(request, 200, handle)

    async def approve_session(self, request: web.Request) -> web.Response:
        session_id, fields = _id(request), await read_fields(request)
        decision, seq = fields.text("decision"), fields.optional_number("seq")
        changed = fields.flag("allow_source_change")
        handle = await self._continued.approve(session_id, decision, seq, changed=changed)
        return await self._answered(request, 200, handle)

    async def cancel_session(self, request: web.Request) -> web.Response:
        session_id, fields = _id(request), await read_fields(request, optional=True)
        reason = fields.optional_text("reason")
        actor, seq = fields.optional_text("actor"), fields.optional_number("seq")
        if actor is not None and seq is not None:
            raise Refused(422, "give either `actor` or `seq`")
        if actor or seq is not None:
            meta = await self._cancelled.cancel_part(session_id, Part(actor, seq), reason)
            return answer(200, {**_cancelled(meta, True, reason), "actor": actor, "seq": seq})
        handle, active = await self._cancelled.cancel(session_id, reason)
        meta = await self._sessions.at_rest(handle)
        if meta.status != "cancelled":
            raise Refused(409, f"Session already {meta.status}")
        return answer(200, _cancelled(meta, active, reason))

    async def replay_session(self, request: web.Request) -> web.Response:
        session_id = _id(request)
        handle = await self._sessions.replay(session_id)
        if _is_hurried(request):
            return await self._running(handle)
        meta = await self._sessions.at_rest(handle)
        view = {"id": meta.id, "replayed_from": session_id, "status": meta.status, "output": raw_json(meta.output)}
        return answer(201, view)

    async def branch_session(self, request: web.Request) -> web.Response:
        session_id, edit = _id(request), read_edit(await read_fields(request))
        handle = await self._sessions.branch(session_id, edit)
        return await self._answered(request, 201, handle)

    async def _answered(self, request: web.Request, status: int, handle: Handle) -> web.Response:
        """The session once it is at rest, or as it is under way to a client that does not want to wait."""
        return await self._running(handle) if _is_hurried(request) else await self._at_rest(status, handle)

    async def _running(self, handle: Handle) -> web.Response:
        return answer(202, await self._view(handle.id), {"Preference-Applied": "respond-async"})

    async def _at_rest(self, status: int, handle: Handle) -> web.Response:
        # Not as it stands now: somebody else may have brought it back in the meantime.
        return answer(status, session_view(await self._sessions.at_rest(handle), None))

    async def _view(self, session_id: str) -> View:
        session = await self._sessions.live(session_id)
        meta = self._sessions.meta(session_id)
        now = as_it_stands(self._store, meta, is_live=session is not None)
        # At rest the store has the questions; the session may not have heard of it yet.
        return session_view(now, None if session is None or now.status != "running" else session.questions)


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=exact_json.dumps(body), headers=headers, content_type="application/json")


def _is_hurried(request: web.Request) -> bool:
    return "respond-async" in request.headers.get("Prefer", "")


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _cancelled(meta: RunMeta, active: bool, reason: str | None) -> View:
    number = meta.attempt_number
    return {"id": meta.id, "status": meta.status, "active": active, "attempt_number": number, "reason": reason}


def _wanted(query: "MultiMapping[str]") -> Wanted:
    statuses = frozenset(query.getall("status", ()))
    if not statuses.issubset(WANTED_STATUSES):
        raise Refused(422, f"`status` must be one of {', '.join(WANTED_STATUSES)}")
    return Wanted(statuses, query.get("agent"), query.get("parent"), query.get("search") or None)


def _wait(text: str | None) -> int:
    if text is None:
        return 0
    if not _LIMIT.fullmatch(text) or int(text) > LONGEST_WAIT_S:
        raise Refused(422, f"`wait` must be 0 to {LONGEST_WAIT_S} seconds")
    return int(text)


def _after(request: web.Request) -> int:
    """The number behind which a stream begins; the header counts first, since browsers set it when they come again."""
    header, query = request.headers.get("Last-Event-ID") or None, request.query.get("after")
    given = [text for text in (header, query) if text is not None]
    if not all(_EVENT_ID.fullmatch(text) for text in given):
        raise Refused(422, "Last-Event-ID and `after` must be ids of events")
    return int(given[0]) if given else 0


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= _LARGEST_LIMIT:
        raise Refused(422, f"`limit` must be 1 to {_LARGEST_LIMIT}")
    return int(text)


async def _new_session(request: web.Request) -> NewSession:
    fields = await read_fields(request)
    session_id, key = fields.optional_text("session_id"), request.headers.get("Idempotency-Key")
    if session_id is not None and (not is_run_id(session_id) or session_id in UNREACHABLE_IDS):
        but = ", ".join(UNREACHABLE_IDS)
        raise Refused(422, f"`session_id` must be 1 to 128 of A-Z a-z 0-9 _ . : -, and none of: {but}")
    if key is not None and not _KEY.fullmatch(key):
        raise Refused(422, "Idempotency-Key must be 1 to 255 printable characters")
    return NewSession(
        input=fields.json("input"),
        id=session_id,
        agent=fields.optional_text("agent"),
        key=key,
        attempt_number=fields.optional_number("attempt_number"),
        replay_from=_records(fields),
        policy_profile=_profile(fields.optional_text("policy_profile")),
    )


def _profile(text: str | None) -> Profile | None:
    if text is not None and text not in get_args(Profile):
        raise Refused(422, f"`policy_profile` must be one of {', '.join(get_args(Profile))}")
    return cast(Profile | None, text)


def _records(fields: BodyFields) -> list[Any] | None:
    value = fields.values.get("replay_from")
    if value is not None and not isinstance(value, list):
        raise Refused(422, "`replay_from` must be an array of records")
    return value
