"""Labels: what the words of a summary say of its nights, in the languages of the platforms.

One vocabulary for all platforms. A text that is not a label proves nothing: it is never a guest by itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bokit.core.model.platform_names import find_platform_name


class Label(StrEnum):
    """What a known label says."""

    RESERVATION = "reservation"
    CLOSURE = "closure"
    TENTATIVE = "tentative"
    REQUEST = "request"


WORDS: dict[Label, tuple[str, ...]] = {
    # a language a line: en, fr, de, it, es, pt, nl, da, sv, no, fi, pl, cs, el, hr, th; then others
    Label.RESERVATION: (
        "reserved|reservation|booked|booking|busy|occupied|taken|confirmed|hold|vacation rental|rental|stay|guest|event|no title",
        "réservé|réservée|réservation|occupé|occupée|loué|louée|confirmé|confirmée|séjour",
        "reserviert|reservierung|gebucht|buchung|belegt|vermietet|besetzt|bestätigt|bestätigte buchung|gast",
        "prenotato|prenotata|prenotazione|riservato|riservata|occupato|occupata|affittato|confermato|confermata|ospite",
        "reservado|reservada|reserva|ocupado|ocupada|alquilado|confirmado|confirmada|huésped",
        "reservado|reservada|reserva|ocupado|ocupada|alugado|confirmado|confirmada|hóspede",
        "gereserveerd|reservering|geboekt|boeking|bezet|verhuurd|bevestigd|gast",
        "reserveret|reservation|booket|booking|optaget|udlejet|bekræftet|gæst",
        "reserverad|reserverat|bokad|bokat|bokning|upptagen|upptaget|uthyrd|bekräftad|gäst",
        "reservert|reservasjon|booket|bestilt|bestilling|opptatt|utleid|bekreftet|gjest",
        "varattu|varaus|vahvistettu|vieras",
        "zarezerwowane|zarezerwowany|zarezerwowano|rezerwacja|zajęte|zajęty|wynajęte|potwierdzone|gość",
        "rezervováno|rezervovaný|rezervace|obsazeno|potvrzeno",
        "κρατημένο|κρατήθηκε|κράτηση|κλεισμένο|κατειλημμένο|επιβεβαιωμένη|επιβεβαιωμένο",
        "rezervirano|rezervacija|zauzeto|potvrđeno|gost",
        "จองแล้ว|การจอง|ยืนยันแล้ว|ไม่ว่าง",
        "予約済み|予約|预订|已预订|已預訂|예약됨|예약|забронировано|бронь|rezerve|rezervasyon|foglalt|rezervat|rezervované",
    ),
    Label.CLOSURE: (
        "blocked|not available|unavailable|closed|maintenance|owner stay|owner block|owner booking|"
        "stop sell|not bookable|no availability",
        "indisponible|non disponible|pas disponible|bloqué|bloquée|bloqués|bloquées|fermé|fermée|séjour du propriétaire|travaux",
        "nicht verfügbar|nicht verfuegbar|blockiert|gesperrt|geschlossen|nicht buchbar|eigenbelegung|eigennutzung|wartung",
        "non disponibile|chiuso|bloccato|bloccata|chiusura|manutenzione",
        "no disponible|bloqueado|bloqueada|cerrado|cerrada|bloqueo|mantenimiento",
        "indisponível|não disponível|bloqueado|bloqueada|fechado|fechada|bloqueio|manutenção",
        "niet beschikbaar|geblokkeerd|gesloten|blokkade|geblokkeerde periode|onderhoud|eigen gebruik",
        "ikke tilgængelig|ikke ledig|utilgængelig|blokeret|lukket|spærret",
        "inte tillgänglig|inte tillgängligt|ej tillgänglig|otillgänglig|blockerad|blockerat|stängd|stängt|spärrad",
        "ikke tilgjengelig|utilgjengelig|blokkert|stengt|sperret",
        "ei saatavilla|ei käytettävissä|ei varattavissa|estetty|suljettu",
        "niedostępne|niedostępny|niedostępna|zablokowane|zablokowany|zamknięte|zamknięty",
        "nedostupné|nedostupný|není k dispozici|blokováno|zablokováno|uzavřeno|zavřeno",
        "μη διαθέσιμο|δεν διατίθεται|μη διαθέσιμη|αποκλεισμένο|μπλοκαρισμένο|κλειστό|κλειστά",
        "nedostupno|nije dostupno|blokirano|zatvoreno",
        "ไม่พร้อมให้บริการ|ไม่สามารถจองได้|ปิดกั้น|ปิด|บล็อก|ถูกบล็อก",
        "予約不可|利用不可|不可预订|不可用|無法預訂|예약 불가|이용 불가|недоступно|закрыто|"
        "müsait değil|nem elérhető|indisponibil|nedostupné",
    ),
    Label.TENTATIVE: (
        "tentative|option|optional|provisional|pre booking|prebooking|pending|on hold|unconfirmed|awaiting payment",
        "provisoire|option|en attente|à confirmer|non confirmé|non confirmée",
        "vorläufig|vorlaeufig|vorgemerkt|option|optional|unbestätigt|ausstehend|unverbindlich",
        "provvisorio|provvisoria|opzione|opzionato|in attesa|da confermare|in sospeso",
        "provisional|tentativo|tentativa|opción|pendiente|por confirmar",
        "provisório|provisória|opção|pendente|por confirmar",
        "voorlopig|voorlopige|optie|onder voorbehoud|in afwachting",
        "foreløbig|foreløbigt|option|afventer|ubekræftet",
        "preliminär|preliminärt|preliminärbokad|option|väntande|obekräftad",
        "foreløpig|opsjon|avventer|ubekreftet",
        "alustava|alustavasti|optio|odottaa|vahvistamaton",
        "wstępna|wstępne|wstępnie|opcja|oczekujące|niepotwierdzone",
        "předběžně|předběžná|předběžné|opce|čeká|nepotvrzeno",
        "προσωρινό|προσωρινή|σε αναμονή|εκκρεμεί|ανεπιβεβαίωτη",
        "privremeno|neobvezno|opcija|na čekanju|nepotvrđeno",
        "ชั่วคราว|รอยืนยัน|รอการยืนยัน|ยังไม่ยืนยัน",
        "仮予約|暂定|보류|предварительно",
    ),
    Label.REQUEST: (
        "request|booking request|reservation request|requested",
        "demande|demande de réservation",
        "anfrage|buchungsanfrage|reservierungsanfrage",
        "richiesta|richiesta di prenotazione",
        "solicitud|solicitud de reserva|petición",
        "pedido|pedido de reserva|solicitação",
        "aanvraag|boekingsaanvraag|reserveringsaanvraag|verzoek",
        "forespørgsel|anmodning|bookingforespørgsel",
        "förfrågan|bokningsförfrågan",
        "forespørsel|bookingforespørsel",
        "pyyntö|varauspyyntö",
        "zapytanie|prośba o rezerwację",
        "poptávka|žádost|žádost o rezervaci",
        "αίτημα|αίτημα κράτησης",
        "upit|zahtjev|zahtjev za rezervaciju",
        "คำขอ|คำขอจอง",
        "リクエスト|请求|요청|запрос",
    ),
}  # fmt: skip
MAX_LABEL_TEXT = 200  # characters of a summary that are searched for a label
CANCELLED_LABEL = re.compile(
    r"\s*(?:cancel+ed|annul[ée]e?|storniert|abgesagt|annullat[oa]|cancelad[oa]|geannuleerd|aflyst|inställ[dt]|avlyst"
    r"|peruttu|odwołane|anulowane|zrušeno|ακυρώθηκε|otkazano|ยกเลิก)\s*[:\-–—]",
    re.I,
)
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})
_SIGNS = re.compile(r"[-_.,;:!?*/()\[\]\"'|–—\s]+")
_PARTS = re.compile(r"\s*[-–—:|(]\s*")
_NAMELESS = frozenset({"event", "busy", "taken", "hold", "no title", "rental", "vacation rental"})
"""Labels beside which a text may be anything: ``Event - Yoga``."""


def fold(text: str) -> str:
    """Return *text* as words in lower case, without accents and signs: ``Réservée!`` is ``reservee``."""
    plain = text.casefold()
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain)
        plain = "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_LETTERS)
    return _SIGNS.sub(" ", plain).strip()


_KNOWN = {fold(phrase): label for label, lines in reversed(WORDS.items()) for line in lines for phrase in line.split("|")}


def _any_of(phrases: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(phrases, key=len, reverse=True)))


_CLOSED = re.compile(rf"(?<!\w)(?:{_any_of(p for p, label in _KNOWN.items() if label is Label.CLOSURE)})(?!\w)")
"""A closure's words count anywhere in a text: ``Blocked By Guesty``, ``CLOSED - Not available``."""
_LEADING = re.compile(rf"(?:{_any_of(_KNOWN)})(?!\w)")
_BY_PERSON = re.compile("block|blok|bloq|blocc|gesperrt|sparr|sperr|estetty|μπλοκ|αποκλεισμεν|บลอก")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReading:
    """What a summary says: its label, if it is known, and the guest whom it names beside it."""

    label: Label | None = None
    guest: str | None = None
    is_blocked: bool = False  # a closure by a person's block, not by "not available"


def read_label(summary: str) -> LabelReading:
    """Return the label of *summary*, and the guest beside it.

    ``label``, and nothing else           that label
    ``label - Name``, ``Name - label``    that label, and the guest, unless the label is a closure
    the words of a closure anywhere       a closure
    a tentative or request label leads    that label
    else                                  no label, no guest

    >>> read_label("Réservée - Melanie").guest, str(read_label("Prenotato").label)
    ('Melanie', 'reservation')
    >>> read_label("Melanie").label is None
    True
    """
    return _read_label(summary[:MAX_LABEL_TEXT])


@lru_cache(maxsize=2048)
def _read_label(summary: str) -> LabelReading:
    folded = fold(summary)
    label = _KNOWN.get(folded)
    if label and label is not Label.CLOSURE:
        return LabelReading(label=label)
    if not label and (named := _read_named(summary)):
        return named
    if label or _CLOSED.search(folded):
        return LabelReading(label=Label.CLOSURE, is_blocked=_BY_PERSON.search(folded) is not None)
    found = _LEADING.match(folded)
    leading = _KNOWN[found[0]] if found else None
    return LabelReading(label=leading) if leading in (Label.TENTATIVE, Label.REQUEST) else LabelReading()


def is_label(summary: str) -> bool:
    """Return whether *summary* says only that its nights are taken, and names nobody."""
    text = summary[:MAX_LABEL_TEXT]
    return _has_labels_only(text) or _CLOSED.search(fold(text)) is not None


def _has_labels_only(text: str) -> bool:
    return fold(text) in _KNOWN or all(map(_names_nobody, map(fold, _PARTS.split(text))))


def _names_nobody(part: str) -> bool:
    return not part or part in _KNOWN or find_platform_name(part.replace(" ", "_")) is not None


def _read_named(summary: str) -> LabelReading | None:
    """Return the reading of a label and a name, parted by a dash, a colon or a bracket; None for any other text."""
    for mark in list(_PARTS.finditer(summary))[:4]:
        first, second = summary[: mark.start()], summary[mark.end() :]
        for words, name in ((fold(first), second), (fold(second), first)):
            label = _KNOWN.get(words)
            if label and label is not Label.CLOSURE and words not in _NAMELESS and not _CLOSED.search(fold(name)):
                return LabelReading(label=label, guest=_read_name(name))
    return None


def _read_name(text: str) -> str | None:
    """Return *text* as a guest's name; None for one without a letter, of labels alone, or of a platform."""
    name = text.strip(" \t\n,;-–—:|()[]\"'")
    is_name = any(c.isalpha() for c in name) and not _has_labels_only(name)
    return name if is_name else None
