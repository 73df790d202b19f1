"""The vocabulary of summaries: in sixteen languages, on every platform, and what a text outside of it proves."""

from __future__ import annotations

import unicodedata

import pytest

from bokit.core.bookings.names import is_neutral, read_title
from bokit.core.ical.entries import BLOCKING, EntryKind, Status
from bokit.core.ical.labels import Label, is_label, read_label
from bokit.core.ical.platforms.base import Platform, RawEvent
from bokit.core.ical.platforms.registry import PLATFORMS

LANGUAGES = {
    "en": (
        "Reserved|Booking|Confirmed reservation",
        "Blocked|Not available|Owner stay",
        "Tentative|Pending reservation",
        "Booking request",
    ),
    "fr": (
        "Réservé|Réservation confirmée|Occupée",
        "Indisponible|Bloqué|Fermeture",
        "Provisoire|Réservation en attente",
        "Demande de réservation",
    ),
    "de": (
        "Reserviert|Bestätigte Buchung|Vermietet",
        "Nicht verfügbar|Gesperrt|Eigennutzung",
        "Vorläufig|Vorläufige Buchung",
        "Buchungsanfrage",
    ),
    "it": (
        "Prenotato|Prenotazione confermata|Affittato",
        "Non disponibile|Bloccato|Chiuso",
        "Provvisorio|Prenotazione in attesa",
        "Richiesta",
    ),
    "es": (
        "Reservado|Reserva confirmada|Alquilado",
        "No disponible|Bloqueado|Cerrado",
        "Provisional|Reserva pendiente",
        "Solicitud de reserva",
    ),
    "pt": (
        "Reservado|Reserva confirmada|Arrendado",
        "Indisponível|Bloqueado|Fechado",
        "Provisório|Reserva pendente",
        "Pedido de reserva",
    ),
    "nl": (
        "Gereserveerd|Bevestigde boeking|Verhuurd",
        "Niet beschikbaar|Geblokkeerd|Eigen gebruik",
        "Voorlopige boeking|Optie",
        "Boekingsverzoek",
    ),
    "da": (
        "Reserveret|Bekræftet booking|Udlejet",
        "Ikke tilgængelig|Blokeret|Lukket",
        "Foreløbig|Afventer bekræftelse",
        "Forespørgsel",
    ),
    "sv": (
        "Reserverad|Bekräftad bokning|Uthyrd",
        "Inte tillgänglig|Blockerad|Stängd",
        "Preliminär bokning|Ej bekräftad",
        "Bokningsförfrågan",
    ),
    "no": (
        "Reservert|Bekreftet reservasjon|Utleid",
        "Ikke tilgjengelig|Blokkert|Stengt",
        "Foreløpig|Venter på bekreftelse",
        "Forespørsel",
    ),
    "fi": (
        "Varattu|Vahvistettu varaus|Vuokrattu",
        "Ei saatavilla|Estetty|Suljettu",
        "Alustava varaus|Odottaa vahvistusta",
        "Varauspyyntö",
    ),
    "pl": (
        "Zarezerwowane|Rezerwacja potwierdzona|Zajęte",
        "Niedostępne|Zablokowane|Zamknięte",
        "Wstępna|Rezerwacja wstępna",
        "Zapytanie",
    ),
    "cs": (
        "Rezervováno|Potvrzená rezervace|Obsazeno",
        "Nedostupné|Blokováno|Uzavřeno",
        "Předběžná rezervace|Čeká na potvrzení",
        "Poptávka",
    ),
    "el": (
        "Κρατημένο|Επιβεβαιωμένη κράτηση|Δεσμευμένο",
        "Μη διαθέσιμο|Μπλοκαρισμένο|Κλειστό",
        "Προσωρινή κράτηση|Σε αναμονή",
        "Αίτημα κράτησης",
    ),
    "hr": (
        "Rezervirano|Potvrđena rezervacija|Zauzeto",
        "Nedostupno|Blokirano|Zatvoreno",
        "Privremena rezervacija|Na čekanju",
        "Upit",
    ),
    "th": (
        "จองแล้ว|การจอง|ถูกจอง",
        "ไม่พร้อมให้บริการ|ถูกบล็อก|ปิดปรับปรุง",
        "จองชั่วคราว|รอการยืนยัน",
        "คำขอจอง",
    ),
}
TABLE = [
    pytest.param(label, words, id=f"{language}-{label}")
    for language, row in LANGUAGES.items()
    for label, words in zip(Label, row, strict=True)
]
STATUSES = {Label.TENTATIVE: Status.TENTATIVE, Label.REQUEST: Status.REQUEST}


def forms(words: str) -> list[str]:
    """Return each phrase as platforms write it: in other cases, without accents, with signs and a platform's name."""
    found: list[str] = []
    for phrase in words.split("|"):
        bare = "".join(
            c for c in unicodedata.normalize("NFD", phrase) if not unicodedata.combining(c) or "\u0e00" <= c <= "\u0e7f"
        )
        found += [
            phrase,
            phrase.upper(),
            phrase.lower(),
            f" {phrase}!",
            f"Airbnb ({phrase})",
            unicodedata.normalize("NFD", phrase),
        ]
        found += [bare] if phrase.isascii() or phrase[0] > "\u0300" else []
    return found


@pytest.mark.parametrize(("label", "words"), TABLE)
def test_a_label_is_known_in_every_form(label: Label, words: str) -> None:
    """It says what it says, and names nobody."""
    for text in forms(words):
        reading = read_label(text)
        assert (reading.label, reading.guest) == (label, None), text
        assert is_label(text), text
        assert is_neutral(text), text
        assert not read_title(None, text), text


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: p.name)
@pytest.mark.parametrize(("label", "words"), TABLE)
def test_a_label_means_the_same_on_every_platform(label: Label, words: str, platform: Platform) -> None:
    """Closures are blocks, all else is a reservation, and all of them hold their nights; Booking.com shows both alike."""
    for summary in words.split("|"):
        facts = platform.read_event(RawEvent(uid="a", summary=summary))
        assert facts is not None
        assert facts.get("guest_name") is None
        assert facts["status"] in BLOCKING
        if platform.name != "booking_com":
            assert facts["kind"] is (EntryKind.BLOCK if label is Label.CLOSURE else EntryKind.RESERVATION), summary
            assert label not in STATUSES or facts["status"] is STATUSES[label], summary


@pytest.mark.parametrize(("label", "words"), TABLE)
def test_a_guest_beside_a_label_is_read(label: Label, words: str) -> None:
    """A label and a name are parted by a dash, a colon or a bracket, in either order; a closure names no guest."""
    for phrase in words.split("|"):
        for text in (
            f"{phrase} - Melanie Fuchs",
            f"Melanie Fuchs – {phrase}",
            f"{phrase}: Melanie Fuchs",
            f"Melanie Fuchs ({phrase})",
        ):
            reading = read_label(text)
            assert reading.label is label, text
            assert reading.guest == (None if label is Label.CLOSURE else "Melanie Fuchs"), text


@pytest.mark.parametrize("summary", ["Melanie Fuchs", "Anna Block", "Paolo Blocco", "Zzz qqq", "Rahahahaha", "12345", ""])
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: p.name)
def test_an_unknown_text_proves_nothing_and_holds_its_nights(summary: str, platform: Platform) -> None:
    """Nobody is a guest, and no night is open, because of a text that nobody knows."""
    assert read_label(summary).label is None
    facts = platform.read_event(RawEvent(uid="a", summary=summary))
    assert facts is not None
    assert facts["status"] in BLOCKING
    if platform.traits.marks_imports:
        assert (facts["kind"], facts.get("guest_name")) == (EntryKind.BLOCK, None)
