"""Servers whose encryption is not what it should be, real ones: what the client says of each, and what it trusts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Certificate, certificate

from spike_engine import ConnectionFailed, SpikeClient
from spike_engine.transports.http import Http

pytestmark = pytest.mark.usefixtures("nothing_left_open")
HOST = "127.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"


@contextlib.contextmanager
def server(accept: Callable[[socket.socket], socket.socket]) -> Iterator[str]:
    """Answers whoever `accept` makes a connection with, by OpenSSL alone: asyncio hides the alerts that it sends."""
    with socket.create_server((HOST, 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):  # it is over
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError), accept(connection) as accepted:
                        accepted.recv(4096)
                        accepted.sendall(ANSWER)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://{HOST}:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def shown_by(context: ssl.SSLContext) -> Callable[[socket.socket], socket.socket]:
    return lambda connection: context.wrap_socket(connection, server_side=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("authority"), is_authority=True)


async def refusal_of(url: str, ca_file: Path | None = None) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as failure:
        await Http("hunter2", url, ca_file=ca_file).request("POST", url, data="v=0")
    assert failure.value.message.isprintable()
    assert "hunter2" not in failure.value.message
    return failure.value


@pytest.mark.parametrize(
    ("names", "days", "says"),
    [
        ((HOST,), (-3, -2), "certificate has expired"),
        ((HOST,), (2, 3), "certificate is not yet valid"),
        (("bot.example", "192.0.2.1"), (-1, 1), "certificate is not valid for '127.0.0.1'"),
    ],
)
async def test_a_certificate_that_is_not_right_is_refused_in_words(
    names: tuple[str, ...], days: tuple[float, float], says: str, authority: Certificate, tmp_path: Path
) -> None:
    shown = certificate(tmp_path, *names, issuer=authority, from_days=days[0], until_days=days[1])
    with server(shown_by(shown.server())) as url:
        refusal = await refusal_of(url, authority.file)

    assert f"its certificate is refused: {says}" in refusal.message.replace("IP address mismatch, ", "")
    assert not refusal.can_retry
    assert "ca_file" not in refusal.message  # which is given, and would not help


@pytest.mark.parametrize("is_self_signed", [True, False])
async def test_an_authority_that_nobody_knows_is_refused_and_can_be_named(
    is_self_signed: bool, authority: Certificate, tmp_path: Path
) -> None:
    shown = certificate(tmp_path, HOST, issuer=None if is_self_signed else authority)
    with server(shown_by(shown.server())) as url:
        refusal = await refusal_of(url)
        answer = await Http("t", url, ca_file=shown.file if is_self_signed else authority.file).request("GET", url)

    assert "name its authority by ca_file if you trust it" in refusal.message
    assert not refusal.can_retry
    assert answer.text == "fine"


async def test_an_authority_of_somebody_else_is_not_trusted(authority: Certificate, tmp_path: Path) -> None:
    other = certificate(tmp_path, is_authority=True)
    with server(shown_by(certificate(tmp_path, HOST, issuer=other).server())) as url:
        assert "its certificate is refused" in (await refusal_of(url, authority.file)).message


async def test_old_tls_is_not_spoken(authority: Certificate, tmp_path: Path) -> None:
    context = certificate(tmp_path, HOST, issuer=authority).server()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which says that it is old
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with server(shown_by(context)) as url:
        assert "it speaks no TLS that is safe; 1.2 and 1.3 are" in (await refusal_of(url, authority.file)).message


@pytest.mark.parametrize("bytes_", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 smtp.example ESMTP\r\n", b"\0" * 100])
async def test_a_server_without_tls_behind_an_https_address_is_said(bytes_: bytes) -> None:
    def answer_in_the_clear(connection: socket.socket) -> socket.socket:
        connection.recv(4096)
        connection.sendall(bytes_)
        return connection

    with server(answer_in_the_clear) as url:
        assert "it speaks no TLS; does its address begin with http://?" in (await refusal_of(url)).message


async def test_a_handshake_that_stalls_is_given_up_in_time() -> None:
    held: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: held.append(writer), HOST, 0) as stalling:
        url = f"https://{HOST}:{stalling.sockets[0].getsockname()[1]}"
        client = SpikeClient(
            conversation_url=url, token="t", audio=False, video=False, audio_output=None, join_timeout_s=0.5
        )
        with pytest.raises(ConnectionFailed):
            async with asyncio.timeout(10):
                await client.join()
        for writer in held:
            writer.close()


async def test_a_client_tells_of_it_when_it_joins(tmp_path: Path) -> None:
    with server(shown_by(certificate(tmp_path, HOST).server())) as url:
        client = SpikeClient(conversation_url=url, token="t", audio=False, video=False, audio_output=None)
        with pytest.raises(ConnectionFailed, match="its certificate is refused: self-signed certificate"):
            await client.join()
