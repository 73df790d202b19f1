"""Which URLs and addresses are fetched, decided without a network."""

from __future__ import annotations

import traceback

import pytest

from bokit.errors import AddressRefusedError
from bokit.net.addresses import check_url, is_public, read_url
from tests.support.hostile_urls import HOSTILE_URLS, PRIVATE_V4, PRIVATE_V6

PUBLIC = {
    "https://feeds.example.org/x.ics": "https://feeds.example.org/x.ics",
    "http://feeds.example.org/x.ics": "http://feeds.example.org/x.ics",
    "webcal://feeds.example.org/x.ics": "https://feeds.example.org/x.ics",
    "webcals://feeds.example.org/x.ics": "https://feeds.example.org/x.ics",
    "webcal://feeds.example.org:8080/x.ics": "https://feeds.example.org:8080/x.ics",
    "  https://feeds.example.org/x.ics\r\n": "https://feeds.example.org/x.ics",
    "HTTPS://Feeds.Example.ORG/X.ics": "https://feeds.example.org/X.ics",
    "https://feeds.example.org": "https://feeds.example.org/",
    "https://feeds.example.org?s=1": "https://feeds.example.org/?s=1",
    "https://feeds.example.org./x": "https://feeds.example.org/x",
    "https://feeds.example.org:/x": "https://feeds.example.org/x",
    "https://feeds.example.org:443/x": "https://feeds.example.org/x",
    "http://feeds.example.org:80/x": "http://feeds.example.org/x",
    "http://feeds.example.org:443/x": "http://feeds.example.org:443/x",
    "https://feeds.example.org:65535/x": "https://feeds.example.org:65535/x",
    "https://feeds.example.org/x?t=a/b@c:d&u=[1]|2": "https://feeds.example.org/x?t=a/b@c:d&u=[1]|2",
    "https://feeds.example.org/%20%2F..;a,b~c/ü": "https://feeds.example.org/%20%2F..;a,b~c/ü",
    "https://feeds.example.org/x#part": "https://feeds.example.org/x",
    "https://_dmarc.a_b.example.org/x": "https://_dmarc.a_b.example.org/x",
    "https://a-b--c.example.org/x": "https://a-b--c.example.org/x",
    "https://1.example.org/x": "https://1.example.org/x",
    "https://127.0.0.1.example.org/x": "https://127.0.0.1.example.org/x",
    "https://localhost.example.org/x": "https://localhost.example.org/x",
    "https://bücher.example.org/x": "https://xn--bcher-kva.example.org/x",
    "https://BÜCHER。example。org/x": "https://xn--bcher-kva.example.org/x",
    "https://faß.example.org/x": "https://xn--fa-hia.example.org/x",
    "https://日本語.example.org/x": "https://xn--wgv71a119e.example.org/x",
    "https://8.8.8.8/x": "https://8.8.8.8/x",
    "https://172.15.0.1/x": "https://172.15.0.1/x",
    "https://172.32.0.1/x": "https://172.32.0.1/x",
    "https://100.63.0.1/x": "https://100.63.0.1/x",
    "https://168.63.129.17/x": "https://168.63.129.17/x",
    "https://223.255.255.254/x": "https://223.255.255.254/x",
    "https://[2606:4700:4700::1111]/x": "https://[2606:4700:4700::1111]/x",
    "https://[2606:4700:4700:0:0:0:0:1111]:8443/x": "https://[2606:4700:4700::1111]:8443/x",
    "https://[64:ff9b::808:808]/x": "https://[64:ff9b::808:808]/x",
    "https://[::ffff:8.8.8.8]/x": "https://[::ffff:808:808]/x",
}
"""What an owner may give, and what is asked for it."""


def test_there_are_more_than_three_hundred_hostile_urls() -> None:
    """The list is as long as it is said to be."""
    assert len(HOSTILE_URLS) >= 300


@pytest.mark.slow
@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_urls_are_refused_without_a_network(url: str) -> None:
    """No such URL is asked, and what says so does not repeat it."""
    with pytest.raises(AddressRefusedError) as caught:
        check_url(url)
    error = caught.value
    assert error.stable_code in ("bad-url", "address-refused")
    assert not error.facts
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(("url", "asked"), PUBLIC.items())
def test_public_urls_are_asked(url: str, asked: str) -> None:
    """A public URL passes, in the one form that every reader reads alike."""
    read = read_url(url).url
    assert read.replace("[::ffff:8.8.8.8]", "[::ffff:808:808]") == asked  # Pythons differ in how they write it


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6, "", "x", "127.1", "fe80::1%eth0", "8.8.8.8%1", "8.8.8.8/32"])
def test_addresses_of_private_use_are_not_public(address: str) -> None:
    """Addresses that IANA's registries reserve or that lead to those are not public; nor is any other text."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808"])
def test_global_addresses_are_public(address: str) -> None:
    """Global unicast addresses are public, and so is NAT64's form of one."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("http://localhost/x", "http://localhost/x"),
        ("http://router/x", "http://router/x"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("webcal://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("webcal://feeds.example.org/x", "https://feeds.example.org/x"),
    ],
)
def test_a_setting_allows_private_addresses(url: str, asked: str) -> None:
    """Where private addresses are allowed they pass, and a webcal URL with a port means http."""
    assert read_url(url, allow_private_addresses=True).url == asked


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://a@b@c/", "http://127.0.0.1:0/", "http://127.0.0.1\\x", "http://a..b/"]
)
def test_what_is_not_a_url_is_refused_even_where_private_addresses_are_allowed(url: str) -> None:
    """The setting opens addresses, not other schemes or forms."""
    with pytest.raises(AddressRefusedError):
        read_url(url, allow_private_addresses=True)


@pytest.mark.parametrize(
    ("user", "auth"),
    [
        ("", None),
        ("@", None),
        (":@", None),
        ("ana@", ("ana", "")),
        ("ana:pw@", ("ana", "pw")),
        (":pw@", ("", "pw")),
        ("ana%40x:p%3Aw%2F@", ("ana@x", "p:w/")),
        ("ana:p:w@", ("ana", "p:w")),
    ],
)
def test_user_info_is_taken_out_of_the_url(user: str, auth: tuple[str, str] | None) -> None:
    """User info is sent as credentials, decoded, and is not part of the URL that is asked."""
    target = read_url(f"https://{user}feeds.example.org/x")
    assert (target.url, target.auth) == ("https://feeds.example.org/x", auth)


def test_a_target_shows_no_more_than_scheme_and_host() -> None:
    """A target's repr holds neither path, query nor user info."""
    target = read_url("https://sentinel-user:sentinel-pw@feeds.example.org/sentinel-path?s=sentinel-query")
    assert "feeds.example.org" in repr(target)
    assert "sentinel" not in repr(target)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://feeds.example.org/SENTINEL",
        "https://SENTINEL@feeds.example.org:SENTINEL/",
        "https://feeds.example.org/SENTINEL x",
        "https://SENTINEL:SENTINEL@127.0.0.1/SENTINEL",
        "https://SENTINEL＠x:SENTINEL@feeds／.org/",
        "https://[SENTINEL/",
        "https://user:SENTINEL@-x/",
        "SENTINEL",
    ],
)
def test_a_refusal_does_not_repeat_the_url(url: str) -> None:
    """Text, repr, arguments and traceback of a refusal hold nothing of a URL's path, query or user info."""
    with pytest.raises(AddressRefusedError) as caught:
        read_url(url)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.args)
    assert "SENTINEL" not in shown


def test_a_reference_to_a_secret_is_judged_when_it_is_resolved() -> None:
    """A reference passes: what it refers to is not known yet."""
    check_url("secret:bokit/rosa/booking")
