"""A feed's bytes as text: decoded, unfolded, and split into calendars, events and timezones. Linear, and never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from bokit.core.ical.limits import MAX_CALENDARS, MAX_FEED_EVENTS, MAX_OPEN_COMPONENTS, MAX_PARAMETER_TEXT
from bokit.values import Value, field

_FIRST_STAMP = re.compile(rb"\nDTSTAMP[^\n:]*:(\d{8}T\d{6}Z)")
_STAMP = re.compile(rb"\nDTSTAMP[^\n]*+(?:\n[ \t][^\n]*+)*+\n")
_MARK = re.compile(r"\n(BEGIN|END):[ \t]*([A-Z0-9-]{1,40})[ \t]*(?=\n|\Z)", re.I)
_HAS_END = re.compile(r"^(?:DTEND|DURATION)\b", re.I | re.M)
_HEAD = re.compile(r'(?:[^":\n]++|"[^"\n]*+"?+)*+')
_PARAMETER = re.compile(r'(?:[^";\n]++|"[^"\n]*+"?+)++')
_LONE_CR = re.compile(rb"\r(?!\n)")
_INDENTED_EVENT = re.compile(rb"\n([ \t]{1,200})BEGIN:VEVENT[ \t]*\n")
_INDENTED_LINES = re.compile(rb"\nBEGIN:VEVENT[ \t]*\n([ \t]{1,200})(?=[A-Z][A-Z-]{1,40}[;:])")
_STRAY = re.compile(r"^(?:DTSTART|dtstart)\b", re.M)
_OTHER_COMPONENTS = frozenset(
    {"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VTIMEZONE", "STANDARD", "DAYLIGHT", "VAVAILABILITY", "AVAILABLE"}
)
"""Components whose DTSTART belongs to them; an event among them is known to be cut."""
_CALENDAR_START = "BEGIN:VCALENDAR\n"
_CALENDAR_END = re.compile(r"\nEND:VCALENDAR(?=[^\n])")
_GLUED_CALENDAR = re.compile(r"(?<=>)BEGIN:VCALENDAR\n")
_COMPONENT = re.compile(r"V|X-|STANDARD$|DAYLIGHT$|AVAILABLE$")
"""How names of components begin; in an event, ``End: Anna`` is a line of a text."""
_STRUCTURE = re.compile(r"^(?:BEGIN|END)\b[^\n]*\n?", re.I | re.M)
_ESCAPE = re.compile(r"\\([nN,;:\\\"])")
_LATIN = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}
"""Bytes that are not UTF-8, as Python decodes them (surrogateescape), to Latin-1 as browsers read it."""
_WITHOUT_MARK = {b"B\0": "utf-16-le", b"\0B": "utf-16-be"}
"""How a calendar in UTF-16 begins that has no byte order mark."""


class CalendarText(Value):
    """One VCALENDAR, unfolded: its own lines, and its components as they stand."""

    head: str  # all that stands outside of events, timezones included: a change in it may change every event
    events: tuple[str, ...] = ()  # the lines between BEGIN:VEVENT and END:VEVENT of each
    timezones: tuple[str, ...] = ()  # whole VTIMEZONE components
    properties: dict[str, str] = field(default_factory=dict)
    """The calendar's own properties, names in upper case."""


class BodyText(Value):
    """A body split into calendars. *is_whole*: every component that began has ended."""

    calendars: tuple[CalendarText, ...] = ()
    is_whole: bool = False
    broken: int = 0  # events that began without an end, or ended without a beginning
    dropped: int = 0  # events beyond the limits
    outside: int = 0  # events outside of any calendar


def read_stamp(body: bytes) -> datetime | None:
    """Return the first DTSTAMP of *body*, which in feeds that stamp each fetch is that of all; None where it has none."""
    found = _FIRST_STAMP.search(body)
    try:
        return datetime.strptime(found[1].decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def strip_stamps(body: bytes) -> bytes:
    """Return *body* without its DTSTAMP lines, in which platforms write the time of the fetch.

    All events usually have the same stamp, and one replacement removes it. A zero byte keeps its place; without it, two
    bodies that differ elsewhere could become equal.
    """
    first = body.find(b"\nDTSTAMP")
    found = _STAMP.match(body, first) if first >= 0 else None
    if not found:
        return body
    body = body.replace(found[0], b"\n\0")
    return _STAMP.sub(b"\n\0", body) if b"\nDTSTAMP" in body else body


def decode_body(body: bytes) -> str:
    """Return the body's text, unfolded, with LF line ends, without byte order mark and zero bytes.

    It is unfolded before decoding, since some platforms fold inside a character.
    """
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        body = body.decode("utf-16", "replace").encode()
    elif encoding := _WITHOUT_MARK.get(body[:2]):
        body = body.decode(encoding, "replace").encode()
    if _LONE_CR.search(body):
        # CR CR LF, or old lines that end in CR alone; a pattern that takes all of these would backtrack at every CR
        body = body.replace(b"\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = _remove_indents(body.translate(None, b"\r\0").removeprefix(b"\xef\xbb\xbf"))
    unfolded = b"".join(lines.split(b"\n "))  # half the time of a replacement
    return _decode(unfolded.replace(b"\n\t", b"") if b"\t" in unfolded else unfolded).removeprefix("\ufeff").lstrip()


def _remove_indents(lines: bytes) -> bytes:
    """Return *lines* without the indents of a template whose events would otherwise be folded away; else as they are."""
    pattern = _INDENTED_LINES if b"\nBEGIN:VEVENT" in lines else _INDENTED_EVENT
    if not (found := pattern.search(lines)):
        return lines
    indent = re.escape(found[1])
    return re.sub(rb"(?m)^" + indent + rb"(?=[A-Z][A-Z-]*[;:])", b"", lines)


def _decode(text: bytes) -> str:
    """Return *text* as UTF-8, and the bytes that are not UTF-8 as Latin-1."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "surrogateescape").translate(_LATIN)


def split_body(text: str) -> BodyText:
    """Return the calendars of *text*; none if it is not a calendar."""
    return _split_plain(text) or _split_any(_free_marks(text))


def _free_marks(text: str) -> str:
    """Return *text* with lines of their own for what some servers glue together.

    A BEGIN after a server's warning, or after the end of another calendar; an END before a page's tags, or before the ``0``
    of a script that prints its result.
    """
    start = text.find(_CALENDAR_START)
    if start > 0 and text[start - 1] != "\n" and f"\n{_CALENDAR_START}" not in text[:start]:
        text = text[:start] + "\n" + text[start:]
    if "\nEND:VCALENDAR" in text:
        text = _CALENDAR_END.sub("\nEND:VCALENDAR\n", text)
    return _GLUED_CALENDAR.sub("\nBEGIN:VCALENDAR\n", text) if ">BEGIN:VCALENDAR" in text else text


def _split_plain(text: str) -> BodyText | None:
    """Return the usual feed: one calendar's own lines, then events without components; None for any other text."""
    own, *events = text.split("\nBEGIN:VEVENT\n")
    if not events:
        return None
    events[-1], closing, tail = events[-1].rpartition("\nEND:VCALENDAR")
    bodies = [event.removesuffix("\nEND:VEVENT") for event in events]
    plain = (
        own.startswith("BEGIN:VCALENDAR\n")
        and closing
        and not tail.strip()
        and len(events) <= MAX_FEED_EVENTS
        and not _MARK.search(own)
        and "\nDTSTART" not in own
        and not any(_MARK.search("\n" + body) for body in bodies)
        and sum(map(len, bodies)) == sum(map(len, events)) - len("\nEND:VEVENT") * len(events)
    )
    if not plain:
        return None
    own = own.removeprefix("BEGIN:VCALENDAR\n") + "\n"
    calendar = CalendarText(head=own, events=tuple(body + "\n" for body in bodies), properties=_read_properties(own))
    return BodyText(calendars=(calendar,), is_whole=True)


def _split_any(text: str) -> BodyText:
    text = "\n" + text
    splitter = _Splitter(text)
    for mark in _MARK.finditer(text):
        splitter.take(mark[1].upper() == "BEGIN", mark[2].upper(), mark.start() + 1, mark.end() + 1)
    return splitter.finish()


class _Splitter:
    """The state of splitting one text: what is open, and what has been found."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.calendars: list[CalendarText] = []
        self.is_open = False
        self.kind, self.start, self.inner = "", 0, 0
        self.broken = self.dropped = self.count = self.outside = 0
        self.depth = 0
        """Open components of other kinds."""
        self._clear(0)

    def _clear(self, at: int) -> None:
        self.events: list[str] = []
        self.zones: list[str] = []
        self.rest: list[str] = []
        self.rest_from = at

    def take(self, begins: bool, name: str, start: int, end: int) -> None:
        """Take one BEGIN or END line, which lies from *start* to *end*."""
        if name == "VCALENDAR":
            self._take_calendar(begins, start, end)
        elif name in ("VEVENT", "VTIMEZONE"):
            self._open(name, start, end) if begins else self._close(name, start, end)
        elif self.kind != "VEVENT" or _COMPONENT.match(name):  # in an event, whose reader skips it, or in the calendar's own text
            self.depth += 1 if begins else -1

    def _take_calendar(self, begins: bool, start: int, end: int) -> None:
        if self.is_open:  # ended, or truncated and followed by another one
            self._abandon(None if begins else start)
            self.broken += begins + (self.depth != 0)
            self._keep(start)
        elif begins:
            self._keep_outside(start)
        self.depth = 0
        self.is_open = begins
        self._clear(end)

    def _open(self, name: str, start: int, end: int) -> None:
        self._abandon(start)
        self.rest.append(self.text[self.rest_from : start])
        self.kind, self.start, self.inner = name, start, end

    def _close(self, name: str, start: int, end: int) -> None:
        if self.kind != name:
            self.broken += name == "VEVENT"  # its beginning was not recognised
            return
        if name == "VTIMEZONE":
            self.zones.append(self.text[self.start : end])
        elif self.count < MAX_FEED_EVENTS:
            self.events.append(self.text[self.inner : start])
            self.count += 1
        else:
            self.dropped += 1
        self.kind, self.rest_from = "", end

    def _abandon(self, at: int | None) -> None:
        """Leave a component without an end. One that is whole up to *at*, where the next begins, is an event all the same."""
        self.broken += self.kind != ""
        text = self.text[self.inner : at] if self.kind == "VEVENT" and at is not None else ""
        if _HAS_END.search(text) and self.count < MAX_FEED_EVENTS:
            self.events.append(text)
            self.count += 1
            self.rest_from = at or 0
        elif self.kind:
            self.rest_from = self.start
        self.kind = ""

    def _keep(self, at: int) -> None:
        if len(self.calendars) >= MAX_CALENDARS:
            self.dropped += len(self.events)
            return
        own = "".join((*self.rest, self.text[self.rest_from : at]))
        zones = tuple(self.zones)
        self._take_strays(own)
        self.calendars.append(
            CalendarText(head=own + "".join(zones), events=tuple(self.events), timezones=zones, properties=_read_properties(own))
        )

    def _take_strays(self, own: str) -> None:
        """Take the lines of events whose BEGIN was not recognised."""
        found = _stray_events(own) if _STRAY.search(own) else []
        room = MAX_FEED_EVENTS - self.count
        self.events += found[:room]
        self.count += len(found[:room])
        self.broken += len(found)
        self.dropped += len(found[room:])

    def _keep_outside(self, at: int) -> None:
        """Keep events that stand before, between or after the calendars as a calendar of their own."""
        self._abandon(at)
        if self.events:
            self.outside += len(self.events)
            self._keep(at)

    def finish(self) -> BodyText:
        whole = not self.is_open and not self.kind and bool(self.calendars)
        if self.is_open:
            self._abandon(None)
            self._keep(len(self.text))
        elif self.calendars:
            self._keep_outside(len(self.text))
        return BodyText(
            calendars=tuple(self.calendars), is_whole=whole, broken=self.broken, dropped=self.dropped, outside=self.outside
        )


def _stray_events(own: str) -> list[str]:
    """Return the lines, between one BEGIN or END and the next, that have a DTSTART and belong to no known component."""
    found: list[str] = []
    inside: list[str] = []
    at = 0
    for mark in [*_MARK.finditer("\n" + own), None]:
        text = own[at : max(at, mark.start()) if mark else None]
        if _STRAY.search(text) and not any(name in _OTHER_COMPONENTS or name.startswith("X-") for name in inside):
            found.append(_STRUCTURE.sub("", text))
        if mark:
            at = mark.end()
            _follow(inside, mark[1].upper() == "BEGIN", mark[2].upper())
    return found


def _follow(inside: list[str], begins: bool, name: str) -> None:
    """Keep *inside*, the components that are open, up to date with a BEGIN or END."""
    if begins and len(inside) < MAX_OPEN_COMPONENTS:
        inside.append(name)
    elif not begins and name in inside:
        del inside[inside.index(name) :]


def _read_properties(own: str) -> dict[str, str]:
    return {name: value for name, _, value in reversed(list(read_lines(own)))}  # the first of a repeated name counts


def read_lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (name, parameters, value) of each content line; names in upper case; lines without a colon are skipped."""
    return ((name.strip().upper(), parameters, value) for name, parameters, value in split_lines(text) if name)


def split_lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (name, parameters, value) of each line as written; the name of a line without a colon is empty."""
    for line in text.split("\n"):
        head, colon, value = line.partition(":")
        if not colon:
            if line:
                yield "", "", line
            continue
        if '"' in head:
            head, value = _split_quoted(line)
        name, _, parameters = head.partition(";")
        yield name, parameters, value


def _split_quoted(line: str) -> tuple[str, str]:
    """Split at the first colon outside of quotes: ``DTSTART;TZID="UTC+01:00":2026…``."""
    found = _HEAD.match(line, 0, MAX_PARAMETER_TEXT)
    if found and line[found.end() : found.end() + 1] == ":":
        return found[0], line[found.end() + 1 :]
    plain, _, value = line.partition(":")
    return plain, value


def read_parameters(text: str) -> dict[str, str]:
    """Return a line's parameters, names in upper case, values without quotes."""
    parts = _PARAMETER.findall(text, 0, MAX_PARAMETER_TEXT) if '"' in text else text.split(";")
    pairs = (part.partition("=") for part in parts)
    return {name.strip().upper(): value.strip().strip('"') for name, _, value in pairs if name}


def unescape(value: str) -> str:
    r"""Return a TEXT value with its ``\n``, ``\,``, ``\;`` and ``\\`` unescaped."""
    return _ESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1], value) if "\\" in value else value
