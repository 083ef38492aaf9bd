"""Events from outside (wire contract, section 3): a request on any path that is not ours is a session of its own."""

import time

from aiohttp import web

from ..journal.runs import RunMeta
from ..settings import Settings
from .access import require_key
from .creating import NewSession, NewSessions
from .refusal import Refused
from .request_body import read_bytes, unpacked
from .session_routes import answer
from .sessions import Sessions
from .signatures import verify
from .views import error_text, session_view
from .webhook_config import Webhook, Webhooks
from .webhook_event import BadAnswer, agent_input, answer_of, delivery_key, header_fields, make_event

_NOT_EVENTS = ("/favicon.ico", "/robots.txt")
_NOT_EVENTS_BELOW = "/.well-known/"


class EventsFromOutside:
    """The route of every path that no other route has."""

    def __init__(self, sessions: Sessions, new: NewSessions, webhooks: Webhooks, settings: Settings) -> None:
        self._sessions = sessions
        self._new = new
        self._webhooks = webhooks
        self._needs_key = settings.api_key is not None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Run the agent on the request and answer what it says; the session does not depend on the sender's patience.

        Raises:
            Refused: the sender is not who the path's entry asks for, or the path is not one of events. No session.
        """
        path = request.path
        if path in _NOT_EVENTS or f"{path}/".startswith(_NOT_EVENTS_BELOW):
            raise Refused(404, f"there is nothing at {path}")
        webhook = self._webhooks.find(path)
        if webhook is not None and webhook.kind == "bearer":
            require_key(request, webhook.secret)
        headers = header_fields(request.raw_headers)
        sent = await read_bytes(request)
        if webhook is not None:
            verify(webhook, headers, sent, time.time())
        if self._is_credential(webhook):
            headers.pop("authorization", None)
        body = unpacked(request, sent)
        event = make_event(request.method, path, request.rel_url.raw_query_string, headers, body, sent)
        key = delivery_key(path, headers, event["body"])
        handle = await self._new.create(NewSession(input=agent_input(event), key=key))
        return _answered(await self._sessions.at_rest(handle))

    def _is_credential(self, webhook: Webhook | None) -> bool:
        """Whether the Authorization header is our own key, which has no business in an agent, a prompt or the store."""
        return self._needs_key if webhook is None else webhook.kind == "bearer"


def _answered(meta: RunMeta) -> web.Response:
    if meta.status in ("failed", "cancelled"):
        return answer(500, {"error": error_text(meta)})
    if meta.status != "completed" or meta.output is None:
        return answer(202, session_view(meta, None))
    try:
        given = answer_of(meta.output)
    except BadAnswer as error:
        return answer(500, {"error": str(error)})
    return web.Response(status=given.status, headers=given.headers, body=given.body)
