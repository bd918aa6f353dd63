"""The HTTP requests by which a transport exchanges session descriptions, and what their failures mean."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import aiohttp

from spike_engine.addresses.hosts import is_local_name, is_on_the_local_network
from spike_engine.addresses.proxies import proxy_for
from spike_engine.addresses.text import printable, reason_of
from spike_engine.addresses.web import checked, is_in_the_clear, origin, shown
from spike_engine.errors import ConnectionFailed, ConversationEnded, InvalidOption, SpikeError, TokenExpired
from spike_engine.options import ClientOptions, trusted
from spike_engine.protocols.strict_json import parse

_MAX_ANSWER_BYTES = 1 << 20
_MOST_REDIRECTS = 5
_MAY_PASS = (408, 425, 429)  # the statuses below 500 that invite to try again
# OpenSSL's verify codes of a chain that ends in nobody who is trusted, and its reasons.
_OF_NO_AUTHORITY = (18, 19, 20, 21)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE")
_OLD_TLS = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")


class Answer(NamedTuple):
    """What a server answered, and which address it was; the names of its headers are in lower case."""

    status: int
    content: bytes
    headers: dict[str, str]
    url: str

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8", "replace")


class Http:
    """Asks the server of a conversation, through the proxy that the environment names, if any.

    The token goes to the origins (RFC 6454) that the program named, and to no other, wherever a server points.

    Args:
        token: Sent with every request to the origins of `named`.
        named: Addresses that the program named.
        allow_insecure: See :class:`~spike_engine.ClientOptions`.
        ca_file: The same.
    """

    def __init__(
        self, token: str = "", *named: str, allow_insecure: bool = False, ca_file: str | Path | None = None
    ) -> None:
        self._token = token
        self._allow_insecure = allow_insecure
        self._origins = {origin(url) for url in named}
        self._tls = trusted(ca_file) or True

    @classmethod
    def of(cls, options: ClientOptions, *named: str) -> Http:
        """With a client's options; its conversation's address is named."""
        named = options.conversation_url, *named
        return cls(options.token, *named, allow_insecure=options.allow_insecure, ca_file=options.ca_file)

    def token_for(self, url: str) -> str:
        """The token, or nothing where `url` may not have it.

        Raises:
            InvalidOption: It would travel in the clear beyond the local network.
        """
        if not self._is_named(url):
            return ""
        if not self._token or self._allow_insecure or not is_in_the_clear(url):
            return self._token
        if is_on_the_local_network(url):
            return ""
        raise InvalidOption(f"{shown(url)} would get the token in the clear: use https://, or allow_insecure=True")

    async def request(
        self,
        method: str,
        url: str,
        *,
        accept: tuple[int, ...] = (200,),
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        data: str | None = None,
    ) -> Answer:
        """The server's answer.

        Redirects are followed with the same method and content, also those of 301 and 302, where GET would ask for
        something else (RFC 9110 section 15.4.2); 303 is followed by GET, as it is meant. What holds the token, the
        header and `json`, follows to the origins that the program named only.

        Raises:
            TokenExpired: 401.
            ConversationEnded: 404 or 410.
            ConnectionFailed: Any other status that is not in `accept`; no answer; one without end; a redirect that
                is not followed.
            InvalidOption: The token would travel in the clear.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._once(method, url, headers=headers, json=json, data=data)
            if answer.status in accept:
                return answer
            if answer.status == 401 and self._token and not self.token_for(url):
                raise ConnectionFailed(
                    f"{shown(url)} wants a token, and got none: {self._why_not(url)}", can_retry=False
                )
            if not 300 <= answer.status < 400:
                raise error_of_status(answer.status, answer.content)
            url = self._target(answer, holds_token=json is not None)
            if answer.status == 303:
                method, json, data = "GET", None, None
        raise ConnectionFailed(f"the server redirects more than {_MOST_REDIRECTS} times", can_retry=False)

    def _target(self, answer: Answer, *, holds_token: bool) -> str:
        """Where a redirect leads, if it is to be followed."""
        said = f"the server answered {answer.status}"
        location = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            raise ConnectionFailed(f"{said}, which leads nowhere", can_retry=False)
        try:
            url = checked(urljoin(answer.url, location), "the address of a redirect")
        except (InvalidOption, ValueError) as error:
            raise ConnectionFailed(f"{said}: {printable(str(error))}", can_retry=False) from error
        if urlsplit(answer.url).scheme == "https" and urlsplit(url).scheme == "http":
            raise ConnectionFailed(f"{said} and leads from https:// to {shown(url)}, in the clear", can_retry=False)
        if holds_token and not self._is_named(url):
            raise ConnectionFailed(
                f"{said} and leads to another server, {shown(url)}, which the token is not for: "
                "join that address if you trust it",
                can_retry=False,
            )
        return url

    async def _once(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None,
        json: Mapping[str, Any] | None,
        data: str | None,
    ) -> Answer:
        sent = {"Accept-Encoding": "identity", **(headers or {})}  # packed, a small answer could become a huge one
        if token := self.token_for(url):
            sent["Authorization"] = f"Bearer {token}"
        try:
            proxy = proxy_for(url)
        except InvalidOption as error:
            raise ConnectionFailed(f"{shown(url)} could not be reached: {error}", can_retry=False) from error
        try:
            async with (
                aiohttp.TCPConnector(resolver=_Resolver(), ssl=self._tls) as connector,
                aiohttp.ClientSession(connector=connector, auto_decompress=False) as http,
                http.request(
                    method, url, headers=sent, json=json, data=data, allow_redirects=False, proxy=proxy
                ) as response,
            ):
                content = await _read_limited(response)
                received = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, content, received, url)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # A certificate stays what it is until somebody exchanges it.
            can_retry = not isinstance(error, aiohttp.ClientConnectorCertificateError)
            message = f"{shown(url)} could not be reached: {_reason(error, proxy)}"
            raise ConnectionFailed(message, can_retry=can_retry) from error

    def _why_not(self, url: str) -> str:
        if self._is_named(url):
            return "http:// would show it to everybody on the way; use https://, or allow_insecure=True"
        return "nobody named that server"

    def _is_named(self, url: str) -> bool:
        scheme, host, port = origin(url)
        on_the_same_host = (scheme, port) == ("https", 443) and ("http", host, 80) in self._origins
        return (scheme, host, port) in self._origins or on_the_same_host


def error_of_status(status: int, content: bytes) -> SpikeError:
    """What an HTTP status other than success means for a conversation."""
    text = printable(content[:200].decode("utf-8", "replace")).strip()
    if text.startswith("<"):  # a page for a browser, often a proxy's
        text = ""
    message = f"the server answered {status}: {text}" if text else f"the server answered {status}"
    if status == 401:
        return TokenExpired(message)
    if status in (404, 410):
        return ConversationEnded(message)
    return ConnectionFailed(message, can_retry=status >= 500 or status in _MAY_PASS)


def parse_answer(content: bytes) -> dict[str, Any]:
    """The JSON object in `content`.

    Raises:
        ConnectionFailed: There is none.
    """
    try:
        parsed = parse(content)
    except ValueError as error:
        raise ConnectionFailed(f"the server's answer is no JSON: {content[:80]!r}") from error
    if not isinstance(parsed, dict):
        raise ConnectionFailed(f"the server's answer is no JSON object: {content[:80]!r}")
    return parsed


class _Resolver(aiohttp.ThreadedResolver):
    """Asks the system for addresses, but no name server for the names of this machine, which may have the token."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """See :class:`aiohttp.abc.AbstractResolver`."""
        return await super().resolve("localhost" if is_local_name(host) else host, port, family)


def _reason(error: Exception, proxy: str | None) -> str:
    """What is wrong, in one line and without the password of a proxy."""
    behind = f"the proxy {shown(proxy)}" if proxy else "what answers there"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"there is no way to {behind}: {error.os_error.strerror or 'it hung up'}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"{behind} answered {error.status}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{behind} speaks no HTTP"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return printable(_why_no_tls(error.__cause__))
    if isinstance(error, aiohttp.ClientConnectorError):
        return printable(_why_no_connection(error.os_error))
    if isinstance(error, aiohttp.InvalidURL):
        return "the address, or that of the proxy, is none"
    return printable(str(error)) or type(error).__name__


def _why_no_connection(error: OSError) -> str:
    reason = reason_of(error)
    return reason[:1].lower() + reason[1:] if reason else "it hung up while the connection was made"


def _why_no_tls(error: BaseException | None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = "; name its authority by ca_file if you trust it" if error.verify_code in _OF_NO_AUTHORITY else ""
        return f"its certificate is refused: {error.verify_message}{advice}"
    reason = str(getattr(error, "reason", None) or error or "it hung up")
    if reason in _NOT_TLS:
        return "it speaks no TLS; does its address begin with http://?"
    if reason in _OLD_TLS:
        return "it speaks no TLS that is safe; 1.2 and 1.3 are"
    return f"no TLS connection could be made with it: {reason.replace('_', ' ').lower()}"


async def _read_limited(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES:
            raise ConnectionFailed(f"the server's answer is longer than {_MAX_ANSWER_BYTES} bytes")
    return bytes(content)
