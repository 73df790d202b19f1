"""Strings that break calendars: controls, breaks, escapes, scripts, bombs; each in several surroundings."""

from __future__ import annotations

import itertools

SEEDS = (
    "plain", "a,b;c", 'back\\slash', '\\n\\N\\,\\;', '\\\\n', 'trailing\\', 'a\nb', 'a\r\nb', 'a\rb', '\n',
    '\r', 'a\x0bb', 'a\x0cb', 'a\x85b', 'a\u2028b', 'a\u2029b', '\x1ca\x1db\x1e', 'a\tb', '\x00nul', '\x1besc',
    '\x7fdel', '\x9bcsi', '\ufeffbom', '\ufffe', '\ud800half', 'half\udfff', "BEGIN:VEVENT",
    'END:VEVENT\r\nBEGIN:VEVENT', '\nEND:VCALENDAR', '\nATTENDEE:mailto:x@example.com', '\r\n DTSTART:20260101',
    '\rX-EVIL:1', "UID:other", "SUMMARY:other", '"quoted"', 'X="1":y', "a:b", ":", ";", ",", "^n^'", "=0D=0A",
    "%0D%0A", "&#10;", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{7*7}}", "${7*7}",
    "'; DROP TABLE x; --", "=cmd|' /C calc'!A0", "../../etc/passwd", "null", "undefined", "NaN", "None", "true",
    "0", "-1", "1e309", '\u200bzero\u200dwidth', '\u202egnirts', '\u2066iso\u2069', "é", "Å", "ﬁﬂ", "Ω≈ç√∫",
    "田中さん", "שלום", "مرحبا", "हिन्दी", "ไทย", "🏖️", '👩\u200d👩\u200d👧\u200d👦', "🇮🇹🇵🇹", "Z͑ͫa̴l͠g̢o",
    '\xa0nbsp\xa0', '\u3000wide', "x" * 74, "x" * 75, "x" * 76, "é" * 37, "é" * 38, "😀" * 19, "ab" + "😀" * 40,
    "x" * 3000,
)  # fmt: skip
AROUND = ("{}", " {} ", "a{}b", "Guest {}", "{}\\", "{},", "\n{}", "é{}é")
NAUGHTY = tuple(around.format(seed) for around, seed in itertools.product(AROUND, SEEDS))
"""More than 500."""
