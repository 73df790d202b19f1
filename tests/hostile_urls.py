"""URLs that must never be asked, for every path that asks: made from addresses that are not public and from ways to hide them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

PRIVATE_V4 = (
    "0.0.0.0",  # noqa: S104 - to refuse it
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1",
    "127.0.0.53", "127.1.2.3", "127.255.255.254", "168.63.129.16", "169.254.0.1", "169.254.169.253", "169.254.169.254",
    "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255",
)  # fmt: skip
PRIVATE_V6 = (
    "::", "::1", "0:0:0:0:0:0:0:1", "::2", "::127.0.0.1", "::a00:1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:168.63.129.16", "::ffff:0:127.0.0.1", "0:0:0:0:0:ffff:c0a8:1",
    "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::7f00:1", "64:ff9b:1::808:808", "100::1",
    "100:0:0:1::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2002:a9fe:a9fe::1", "3fff::1", "4000::1", "5f00::1", "fc00::1",
    "fd00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1",
)  # fmt: skip
DISGUISED = ("127.0.0.1", "127.0.0.2", "10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "168.63.129.16")
LOCAL_NAMES = (
    "localhost", "LOCALHOST", "localhost.", "LocalHost.", "ｌｏｃａｌｈｏｓｔ", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "localhost。",
    "localhost.localdomain", "a.localhost", "a.b.LOCALHOST.", "router", "intranet", "metadata", "instance-data",
    "metadata.google.internal", "METADATA.GOOGLE.INTERNAL.",
    "x.us-east-1.compute.internal", "printer.local", "nas.lan", "wiki.corp", "box.home",
    "router.home.arpa", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "db.private", "portal.intranet", "com",
)  # fmt: skip
NO_URLS = (
    "", " ", "x", "feed.ics", "/etc/passwd", "//feeds.example.org/x", "http:", "http:/", "http://", "https://", "http:///x.ics",
    "http:/feeds.example.org/x", "http:feeds.example.org", "https:////feeds.example.org", "://feeds.example.org", "https://?q",
    "https://#f", "https://:443/x", "https://@/x", "https://user@/x", "https://user:pw@:443/x", "http:\\\\feeds.example.org\\x",
    "https://feeds.example.org\\@127.0.0.1/", "https://127.0.0.1\\@feeds.example.org/", "https://feeds.example.org/a\\b",
    "ftp://feeds.example.org/x", "file:///etc/passwd", "file://localhost/etc/passwd", "gopher://127.0.0.1:11211/_stats",
    "dict://127.0.0.1:11211/stats", "ldap://127.0.0.1/", "data:text/calendar,BEGIN:VCALENDAR", "javascript:alert(1)",
    "jar:http://127.0.0.1!/x", "ws://feeds.example.org/x", "ssh://feeds.example.org", "netdoc:///etc/passwd", "unix:///run/x.sock",
    "http+unix://%2Frun%2Fx.sock/", "httpx://feeds.example.org", "http s://feeds.example.org", "ht\ttp://127.0.0.1/",
    "https://feeds.exa\tmple.org/x", "https://feeds.example.org/a\tb", "https://feeds.example.org/a\nb", "https://127.0.0.1\r\nHost:x/",
    "https://feeds.example.org/\r\nX-Injected: 1", "\x00https://feeds.example.org/", "https://feeds.example.org\x00.evil.org/",
    "https://feeds.example.org/\x7f", "https://feeds.example.org/a b", "https://feeds example.org/", "https://feeds..example.org/",
    "https://.feeds.example.org/", "https://feeds.example.org../", "https://./", "https://../", "https://-feeds.example.org/",
    "https://feeds-.example.org/", "https://feeds.exa$mple.org/", "https://feeds.exa<mple.org/", "https://feeds.exa!mple.org/",
    "https://feeds,example.org/", "https://feeds;example.org/", "https://{feeds}.example.org/", "https://*.example.org/",
    "https://feeds.example.org%00.evil.org/", "https://feeds%2eexample.org/", "https://%6cocalhost/", "https://x.org%2f@127.0.0.1/",
    "https://" + "a" * 64 + ".example.org/", "https://" + "a." * 127 + "org/", "https://feeds.example.org/" + "a" * 5000,
    "https://feeds.example.org:0/x", "https://feeds.example.org:65536/x", "https://feeds.example.org:99999/x",
    "https://feeds.example.org:123456789/x", "https://feeds.example.org:-1/x", "https://feeds.example.org:+443/x",
    "https://feeds.example.org:4 43/x", "https://feeds.example.org:0x50/x", "https://feeds.example.org:８０/x",
    "https://feeds.example.org:http/x", "https://feeds.example.org:443:80/x", "https://a@b@c/", "https://a@b@feeds.example.org/",
    "https://a:b@c:d@feeds.example.org/", "https://feeds.example.org@127.0.0.1/", "https://feeds.example.org:443@127.0.0.1/",
    "https://feeds.example.org%40127.0.0.1@127.0.0.1/", "https://user:pw@localhost/", "https://@127.0.0.1/", "https://:@127.0.0.1/",
    "https://feeds.example.org#@127.0.0.1\\/", "https://127.0.0.1#@feeds.example.org/", "https://127.0.0.1?@feeds.example.org/",
    "https://127.0.0.1/@feeds.example.org", "https://127.0.0.1&@127.0.0.2#@feeds.example.org/", "https://[::1/x", "https://::1/x",
    "https://[::1]x.example.org/", "https://x[::1]/", "https://[[::1]]/", "https://[]/", "https://[::1]:0/", "https://[:::1]/",
    "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[2606:4700::1111%25eth0]/", "https://[::1%251]/",
    "https://[v1.a:b]/", "https://[127.0.0.1]/", "https://[feeds.example.org]/", "https://[12345::1]/", "https://[::ffff:127.1]/",
    "https://1.2.3.4.5/", "https://256.256.256.256/", "https://1.2.3/", "https://8.8.8/", "https://08.8.8.8/", "https://8.8.8.08/",
    "https://0x08.8.8.8/", "https://134744072/", "https://8.8.8.8.0x7f/", "https://-127.0.0.1/", "https://1e3/", "https://0x/",
    "https://127.0.0.1／x@feeds.example.org/", "https://feeds.example.org＃@127.0.0.1/", "https://feeds.example.org＠127.0.0.1/",
    "https://feeds.example.org：80/", "https://xn--/", "https://feeds。。example.org/", "https://\u200b/", "https://\ufeff127.0.0.1/",
    "webcal://", "webcal://127.0.0.1/x.ics", "webcal:127.0.0.1", "webcals://localhost/x", "WEBCAL://10.0.0.1/x",
    "webcal:https://127.0.0.1/", "feed://feeds.example.org/x", "https:https://feeds.example.org/",
)  # fmt: skip


def disguise(address: str) -> Iterator[str]:
    """Yield other ways to write an IPv4 address that some resolver, library or browser takes for it."""
    a, b, c, d = (int(part) for part in address.split("."))
    number = int(ipaddress.IPv4Address(address))
    yield from (str(number), hex(number), f"0X{number:X}", f"0{number:o}", f"{number:012o}")
    yield from (f"{a}.{(b << 16) | (c << 8) | d}", f"{a}.{b}.{(c << 8) | d}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}")
    yield from (f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:03}.{b:03}.{c:03}.{d:03}", f"0x{a:x}.{b}.{c}.{d}", f"{a}.{b}.{c}.0x{d:x}")
    yield from (f"{address}.", f"{a}。{b}。{c}。{d}", f"{a}．{b}．{c}．{d}", "".join(f"%{ord(x):02x}" for x in address))
    yield address.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})
    yield address.translate({ord(str(n)): chr(0x1D7CE + n) for n in range(10)})


def list_hostile_urls() -> list[str]:
    """Return them all, each once."""
    hosts = [*PRIVATE_V4, *LOCAL_NAMES, *(f"[{address}]" for address in PRIVATE_V6)]
    hosts += [form for address in DISGUISED for form in disguise(address)]
    made = [f"{scheme}://{host}/x.ics?s=1" for host in hosts for scheme in ("http", "https")]
    return list(dict.fromkeys([*NO_URLS, *made]))


HOSTILE_URLS = list_hostile_urls()
