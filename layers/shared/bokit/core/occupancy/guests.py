"""What a record says of its guest, and whether two records can be the same reservation."""

from __future__ import annotations

import re
from typing import NamedTuple

from bokit.core.bookings.erasure import (
    Erasure,
    digest_code,
    digest_email,
    digest_phone,
    digest_words,
    read_erasure,
    read_last_digits,
)
from bokit.core.bookings.names import Words, fold, is_neutral, read_title, read_words
from bokit.core.bookings.night_history import PLATFORM
from bokit.core.ical.entries import EntryKind
from bokit.core.ical.platforms.registry import traits_of
from bokit.core.model.platform_names import find_platform_name
from bokit.core.model.records import Fields, Record

_AIRBNB = re.compile(r"HM[A-Z0-9]{8}")
_KEYS = ("reservation_code", "ota_reference", "guest_name", "phone", "phone_last4", "email")


class GuestIdentity(NamedTuple):
    """What distinguishes one reservation from another."""

    platform: str | None
    """Whose feed it came from; None: entered by hand, or not known."""
    by_hand: bool
    is_named: bool
    """It has a code, a guest or a text of its own."""
    refs: frozenset[tuple[str, str]] = frozenset()
    """References with their owner: ``("airbnb", "HM…")``."""
    channel: str | None = None
    """The platform on which it was booked, where that is known."""
    names: frozenset[str] = frozenset()
    """The words of the guest's name."""
    title: Words = frozenset()
    """The words of the name that its source shows, be it in the summary alone."""
    phone: str | None = None
    """The last four digits."""
    email: str | None = None
    key: str | None = None
    """Of an erased guest: the key of the digests in place of references, names, phone and address."""


def read_identity(record: Record, local: Fields) -> GuestIdentity:
    """Return what *record*, with a person's edits, says of its guest; of one that was erased, what is kept in its place.

    *local* are the fields of *record*.
    """
    shown = _read_shown(record, local)
    erasure = read_erasure(record)
    return _with_digests(record, shown, erasure) if erasure else shown


def _with_digests(record: Record, shown: GuestIdentity, erasure: Erasure) -> GuestIdentity:
    """Return the identity of an erased guest; what a person entered since then comes first."""
    kept = {"reservation_code": erasure.code, "ota_reference": erasure.reference, "ota": record.fields.get("ota")}
    masked = _mask(shown, erasure.key)
    return masked._replace(
        is_named=shown.is_named or erasure.is_named,
        refs=masked.refs or _read_refs(record, kept, shown.platform, shown.channel),
        names=masked.names or erasure.names,
        title=masked.title or erasure.title,
        phone=masked.phone or erasure.phone,
        email=masked.email or erasure.email,
    )


def _mask(identity: GuestIdentity, key: str) -> GuestIdentity:
    """Return *identity* as digests under *key*."""
    return identity._replace(
        refs=frozenset((owner, digest_code(key, ref)) for owner, ref in identity.refs),
        names=digest_words(key, identity.names),
        title=digest_words(key, identity.title),
        phone=digest_phone(key, identity.phone),
        email=digest_email(key, identity.email),
        key=key,
    )


def _alike(one: GuestIdentity, other: GuestIdentity) -> tuple[GuestIdentity, GuestIdentity]:
    """Return both as digests where one of them is of an erased guest."""
    if one.key == other.key:
        return one, other
    return (_mask(one, str(other.key)), other) if one.key is None else (one, _mask(other, one.key))


def _read_shown(record: Record, local: Fields) -> GuestIdentity:
    platform, remote, email = record.memory.get(PLATFORM), record.remote, local.get("email")
    channel, name = _read_channel(local, platform), local.get("guest_name")
    names, theirs = read_words(name), remote.get("guest_name")
    return GuestIdentity(
        platform=platform,
        by_hand=record.source_id is None,
        is_named=bool(name) or any(map(local.get, _KEYS)) or not is_neutral(local.get("summary")),
        refs=_read_refs(record, local, platform, channel),
        channel=channel,
        names=names,
        title=names if names and name == theirs else read_title(theirs, remote.get("summary")),
        phone=read_last_digits(local),
        email=fold(email) or None if email else None,
    )


def may_repeat(identity: GuestIdentity, kind: EntryKind) -> bool:
    """Return whether an entry may be an echo: it has only nights, and its platform shows imported nights this way."""
    if identity.by_hand:
        return False
    if kind is EntryKind.BLOCK:
        return True
    return not identity.is_named and not traits_of(identity.platform).marks_imports


def share_reference(one: GuestIdentity, other: GuestIdentity) -> bool:
    """Return whether both have the same reference of the same platform."""
    one, other = _alike(one, other)
    return bool(one.refs & other.refs)


def contradict(one: GuestIdentity, other: GuestIdentity) -> bool:
    """Return whether two reservations cannot be one.

    two different references of one platform                    they cannot
    booked on two platforms                                     they cannot
    no word of the guests' names in common, other digits of
    the phone, another address                                  they cannot
    """
    one, other = _alike(one, other)
    if share_reference(one, other):
        return False
    mine, theirs = dict(one.refs), dict(other.refs)
    if set(mine) & set(theirs) or (one.channel and other.channel and one.channel != other.channel):
        return True
    if one.names and other.names and not one.names & other.names:
        return True
    return _differ(one.phone, other.phone) or _differ(one.email, other.email)


def agree(one: GuestIdentity, other: GuestIdentity) -> bool:
    """Return whether both name the same guest."""
    one, other = _alike(one, other)
    same = (one.phone and one.phone == other.phone) or (one.email and one.email == other.email)
    return bool(one.names & other.names or same)


def may_be_same(one: GuestIdentity, other: GuestIdentity) -> bool:
    """Return whether two reservations of equal nights, from two sources, are the same one.

    either is entered by hand        where they name the same guest, and nothing contradicts
    both of booking platforms        never: each shows its own guests alone
    else                             where nothing contradicts
    """
    if contradict(one, other):
        return False
    if one.by_hand or other.by_hand:
        return agree(one, other)
    return not (traits_of(one.platform).own_guests and traits_of(other.platform).own_guests)


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _read_channel(local: Fields, platform: str | None) -> str | None:
    if platform and traits_of(platform).own_guests:
        return platform
    return _read_platform(local.get("ota"))


def _read_platform(name: str | None) -> str | None:
    """Return the platform that a channel manager means by *name*; None: not one that Bokit knows."""
    word = re.sub(r"[^a-z0-9_]", "", fold(name).replace(".com", "").replace(" ", ""))
    return find_platform_name(word) if word else None


def _read_refs(record: Record, local: Fields, platform: str | None, channel: str | None) -> frozenset[tuple[str, str]]:
    """Return the references with their owners. Airbnb's are recognised by their shape, in any field."""
    code, reference = local.get("reservation_code"), local.get("ota_reference")
    if not (code or reference):
        return frozenset()
    owner = platform or record.source_id or "by hand"
    booked_on = channel or str(local.get("ota") or owner)
    found: dict[str, str] = {}
    for whose, ref in ((owner, code), (booked_on, reference)):
        text = str(ref or "").strip().upper()
        if text:
            found.setdefault("airbnb" if _AIRBNB.fullmatch(text) else whose, text)
    return frozenset(found.items())
