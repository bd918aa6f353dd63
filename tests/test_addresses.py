"""What is accepted as an address, who may have the token, and which proxy leads there."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_engine import InvalidOption
from spike_engine.addresses.hosts import is_on_the_local_network
from spike_engine.addresses.ice import IceServer
from spike_engine.addresses.proxies import proxy_for
from spike_engine.addresses.web import checked, extended, is_in_the_clear, origin, shown
from spike_engine.options import ClientOptions

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://bot.example/c", "https://bot.example/c"),
        ("  https://bot.example/c \n", "https://bot.example/c"),
        ("https://bot.example/c#top", "https://bot.example/c"),
        ("https://bot.example/c?room=1#top", "https://bot.example/c?room=1"),
        ("HTTPS://bot.example/c", "https://bot.example/c"),
        ("https://bücher.example/", "https://bücher.example/"),
    ],
)
def test_blanks_and_fragments_are_cut_and_queries_kept(given: str, kept: str) -> None:
    assert checked(given) == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "bot.example/c",
        "//bot.example/c",
        "ws://bot.example/c",
        "file:///etc/passwd",
        "data:text/plain,x",
        "http:/bot.example",
        "https://",
        "https://:443/",
        "https://bot.example:0/",
        "https://bot.example:99999/",
        "https://bot.example:x/",
        "https://bot.example/a\nb",
        "https://bot.example/a\tb",
        "https://bot\0.example/",
        "https://[::1/",
        "https://[bot]/",
        "https://a..example/",
        f"https://{'a' * 64}.example/",
        "https://bot.example/\ud800",
        None,
        7,
        b"https://bot.example/",
    ],
)
def test_what_is_no_address_is_refused_in_words(url: Any) -> None:
    with pytest.raises(InvalidOption, match="conversation_url"):
        checked(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidOption, match="no user name and no password") as refusal:
        checked("https://me:hunter2@bot.example/c")

    assert "hunter2" not in str(refusal.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://bot.example/{text}"):
        with contextlib.suppress(InvalidOption):
            origin(extended(checked(url), "/api/offer"))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://b.example", "https://b.example/api/offer"),
        ("https://b.example/c/", "https://b.example/c/api/offer"),
        ("https://b.example/c?room=1&x=/", "https://b.example/c/api/offer?room=1&x=/"),
    ],
)
def test_a_path_is_extended_before_its_query(url: str, path: str) -> None:
    assert extended(url, "/api/offer") == path


@pytest.mark.parametrize(
    "host", ["a b", "a<b", "a,b", "*", "[::1]x", "[::1", "[x]", "bot:port", "a..b", ".", "127.0.0.1\\"]
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(InvalidOption, match="must be an http"):
        checked(f"https://{host}/c")


def test_the_network_of_a_link_local_address_may_be_named() -> None:
    assert checked("http://[fe80::1%25eth0]:7860/c") == checked("http://[fe80::1%eth0]:7860/c")
    assert is_on_the_local_network(checked("http://[fe80::1%25eth0]:7860/c"))


def test_messages_hold_no_query_no_password_and_no_page() -> None:
    assert shown("https://bot.example/c?key=secret#x") == "https://bot.example/c?..."
    assert "secret" not in shown("https://me:secret@bot.example:99999/c")
    assert len(shown("https://bot.example/" + "a" * 10_000)) < 300
    for url in ("ftp://b/?key=secret", "http://bot.example/?key=secret", "http://me:secret@b:99999/", "x" * 10_000):
        with pytest.raises(InvalidOption) as refusal:
            ClientOptions(conversation_url=url, token="t")
        assert "secret" not in refusal.value.message
        assert len(refusal.value.message) < 400


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:7860/c", "http://127.9.9.9/", "http://[::1]:80/", "http://localhost/"),
        *("http://bot.localhost/", "http://LOCALHOST/", "http://localhost./", "http://0.0.0.0:7860/"),
        *(
            "http://192.168.1.7/",
            "http://10.77.0.1:7900",
            "http://172.31.0.1/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
        ),
        "https://bot.example/",
    ],
)
def test_a_token_may_go_to_this_machine_and_over_tls(url: str) -> None:
    assert ClientOptions(conversation_url=url, token="t").token == "t"


@pytest.mark.parametrize(
    "url",
    [
        "http://bot.example/",
        "http://8.8.8.8/",
        "http://172.32.0.1/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
    ],
)
def test_a_token_goes_in_the_clear_to_nobody_else_unless_the_program_says_so(url: str) -> None:
    with pytest.raises(InvalidOption, match="allow_insecure"):
        ClientOptions(conversation_url=url, token="t")

    assert ClientOptions(conversation_url=url, token="t", allow_insecure=True)


def test_a_token_that_is_held_back_on_a_private_network_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    ClientOptions(conversation_url="http://192.168.1.7:7860/c", token="secret")

    assert "192.168.1.7 is asked without the token" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("token", ["secret\n", " secret", "\tsecret\r\n"])
def test_blanks_around_a_token_are_cut(token: str) -> None:
    assert ClientOptions(conversation_url="https://b.example", token=token).token == "secret"


@pytest.mark.parametrize(
    "token", ["", " \n", "two words", "a\nb", "a\r\nX-Evil: 1", "a\0", "é", "a\u2028a", None, b"t", 3]
)
def test_any_other_stray_character_of_a_token_is_refused_without_repeating_it(token: Any) -> None:
    with pytest.raises(InvalidOption, match="token must") as refusal:
        ClientOptions(conversation_url="https://b.example", token=token)

    assert "X-Evil" not in str(refusal.value)


def test_secrets_are_not_in_what_is_printed() -> None:
    options = ClientOptions(
        conversation_url="https://b.example",
        token="hunter2",
        ice_servers=[{"urls": "turn:t.example", "username": "u", "credential": "hunter2"}],
    )

    assert "hunter2" not in repr(options)


@pytest.mark.parametrize(
    "server",
    [
        None,
        5,
        [],
        {},
        "",
        "https://t.example",
        "turn:",
        "stun::3478",
        "stun:t.example:0",
        "stun:t.example:70000",
        "stun:t.example:x",
        "stun:t.example?transport=tcp",
        "turn:t.example?transport=sctp",
        "turn:a b",
        "turn:t.example\n",
        {"urls": None},
        {"urls": 5},
        {"urls": []},
        {"urls": [None]},
        {"urls": ["turn:t.example", 7]},
        {"url": "turn:t.example"},
        {"urls": "turn:t.example", "username": 5},
        {"urls": "turn:t.example", "username": "u", "credential": ["hunter2"]},
        IceServer(None),
    ],
)
def test_what_is_no_ice_server_is_refused_in_words(server: Any) -> None:
    with pytest.raises(InvalidOption, match=r"ice_servers|ICE server") as refusal:
        IceServer.of(server)

    assert "hunter2" not in str(refusal.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values | st.fixed_dictionaries({"urls": json_values, "username": json_values, "credential": json_values}))
def test_anything_is_an_ice_server_or_refused(value: Any) -> None:
    with contextlib.suppress(InvalidOption):
        assert IceServer.of(value).all_urls


def test_the_environment_names_the_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for("https://bot.example/c") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", ".inside.example,10.0.0.1")

    assert proxy_for("https://bot.example/c") == "http://proxy.example:3128"
    assert proxy_for("http://bot.example/c") is None
    assert proxy_for("https://bot.inside.example/c") is None
    assert proxy_for("https://10.0.0.1/c") is None
    monkeypatch.setenv("ALL_PROXY", "other.example:8080")
    assert proxy_for("http://bot.example/c") == "http://other.example:8080"
    assert proxy_for("http://127.0.0.1:7860/c") is None


@pytest.mark.parametrize(
    ("exceptions", "host", "left_out"),
    [
        ("*", "a.b", True),
        (" x , a.b ", "a.b", True),
        ("b", "a.b", True),
        ("*.b", "a.b", True),
        (".b", "ab", False),
        ("A.B.", "a.b.", True),
        ("a.b:8443", "a.b:8443", True),
        ("a.b:8443", "a.b", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("[fd00::1]", "[fd00::1]", True),
        ("fd00::/8", "[fd00::1]:443", True),
        (",, ,", "a.b", False),
    ],
)
def test_no_proxy_names_hosts_and_networks(
    monkeypatch: pytest.MonkeyPatch, exceptions: str, host: str, left_out: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)

    assert (proxy_for(f"https://{host}/c") is None) == left_out


@pytest.mark.parametrize("proxy", ["socks5://p:1", "http://", "http:///p", "http://p:99999", "http://[::1", "//p:1"])
def test_a_proxy_that_is_none_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.replace("//", "//me:secret@", 1))
    with pytest.raises(InvalidOption, match="proxy") as refusal:
        ClientOptions(conversation_url="http://bot.example/c", token="t")

    assert "secret" not in refusal.value.message


def test_a_proxy_on_this_machine_may_have_what_goes_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")
    assert not is_in_the_clear("http://bot.example/c")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert is_in_the_clear("http://bot.example/c")
