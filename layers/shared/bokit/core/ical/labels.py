"""Labels: what the words of a summary say of its nights, in the languages of the platforms.

One vocabulary for all platforms. A text that is not a label proves nothing: it is never a guest by itself.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache

from bokit.core.model.platform_names import find_platform_name
from bokit.values import Value


class Label(StrEnum):
    """What a known label says."""

    RESERVATION = "reservation"
    CLOSURE = "closure"
    TENTATIVE = "tentative"
    REQUEST = "request"


WORDS: dict[Label, tuple[str, ...]] = {
    # a language a line: en, fr, de, it, es, pt, nl, da, sv, no, fi, pl, cs, el, hr, th; then others
    Label.RESERVATION: (
        "reserved|reservation|booked|booking|busy|occupied|taken|confirmed|hold|vacation rental|rental|stay|"
        "guest|event|no title|rented|new",
        "réservé|réservée|réservation|occupé|occupée|loué|louée|confirmé|confirmée|séjour|réservations|complet",
        "reserviert|reservierung|gebucht|buchung|belegt|vermietet|besetzt|bestätigt|bestätigte|bestaetigt|"
        "ausgebucht|neue|gast",
        "prenotato|prenotata|prenotazione|riservato|riservata|occupato|occupata|affittato|affittata|confermato|"
        "confermata|ospite",
        "reservado|reservada|reserva|reservación|ocupado|ocupada|alquilado|alquilada|confirmado|confirmada|huésped",
        "reservado|reservada|reserva|ocupado|ocupada|alugado|alugada|arrendado|confirmado|confirmada|hóspede",
        "gereserveerd|reservering|geboekt|boeking|bezet|verhuurd|bevestigd|bevestigde|reservatie|volgeboekt|volzet|gast",
        "reserveret|reservation|booket|booking|optaget|udlejet|bekræftet|gæst",
        "reserverad|reserverat|bokad|bokat|bokning|upptagen|upptaget|uthyrd|uthyrt|bekräftad|gäst",
        "reservert|reservasjon|booket|bestilt|bestilling|opptatt|utleid|bekreftet|gjest",
        "varattu|varaus|vahvistettu|vuokrattu|vieras",
        "zarezerwowane|zarezerwowany|zarezerwowana|zarezerwowano|rezerwacja|zajęte|zajęty|wynajęte|potwierdzone|"
        "potwierdzona|gość",
        "rezervováno|rezervovaný|rezervace|obsazeno|potvrzeno|potvrzená|pronajato|zarezervováno",
        "κρατημένο|κρατήθηκε|κράτηση|κλεισμένο|κατειλημμένο|επιβεβαιωμένη|επιβεβαιωμένο|δεσμευμένο|ενοικιασμένο",
        "rezervirano|rezervacija|zauzeto|potvrđeno|potvrđena|iznajmljeno|bukirano|gost",
        "จองแล้ว|การจอง|ถูกจอง|ถูกจองแล้ว|ติดจอง|ยืนยันแล้ว|ไม่ว่าง|มีผู้เข้าพัก",
        "予約済み|予約|预订|已预订|已預訂|예약됨|예약|забронировано|бронь|rezerve|rezervasyon|foglalt|rezervat|rezervované",
    ),
    Label.CLOSURE: (
        "blocked|not available|unavailable|closed|maintenance|owner stay|owner block|owner booking|"
        "stop sell|not bookable|no availability|owner use|own use|personal use|out of order|out of service|blackout|block",
        "indisponible|non disponible|pas disponible|bloqué|bloquée|bloqués|bloquées|fermé|fermée|"
        "séjour du propriétaire|séjour propriétaire|usage personnel|blocage|fermeture|entretien|travaux",
        "nicht verfügbar|nicht verfuegbar|blockiert|gesperrt|geschlossen|nicht buchbar|eigenbelegung|eigennutzung|wartung|"
        "sperrung|sperrzeit|sperre|blockierung|blockade|instandhaltung|renovierung",
        "non disponibile|indisponibile|non prenotabile|chiuso|bloccato|bloccata|blocco|chiusura|manutenzione|"
        "uso personale|uso proprietario",
        "no disponible|bloqueado|bloqueada|cerrado|cerrada|bloqueo|mantenimiento|uso personal|uso propio|"
        "estancia del propietario",
        "indisponível|não disponível|bloqueado|bloqueada|fechado|fechada|encerrado|bloqueio|manutenção|"
        "uso pessoal|uso próprio",
        "niet beschikbaar|onbeschikbaar|blokkering|geblokkeerd|gesloten|blokkade|geblokkeerde periode|onderhoud|"
        "eigen gebruik",
        "ikke tilgængelig|ikke ledig|utilgængelig|ikke til rådighed|blokeret|lukket|spærret|vedligeholdelse|eget brug",
        "inte tillgänglig|inte tillgängligt|ej tillgänglig|otillgänglig|blockerad|blockerat|stängd|stängt|"
        "spärrad|spärrat|underhåll|eget bruk",
        "ikke tilgjengelig|utilgjengelig|blokkert|stengt|sperret|vedlikehold|eget bruk",
        "ei saatavilla|ei käytettävissä|ei varattavissa|ei vapaana|estetty|suljettu|huolto|oma käyttö",
        "niedostępne|niedostępny|niedostępna|zablokowane|zablokowany|zamknięte|zamknięty|blokada|konserwacja|"
        "remont|użytek własny",
        "nedostupné|nedostupný|není k dispozici|blokováno|zablokováno|uzavřeno|zavřeno|blokace|údržba|"
        "vlastní užití|nelze rezervovat",
        "μη διαθέσιμο|μη διαθέσιμα|δεν είναι διαθέσιμο|συντήρηση|δεν διατίθεται|μη διαθέσιμη|αποκλεισμένο|"
        "μπλοκαρισμένο|κλειστό|κλειστά",
        "nedostupno|nije dostupno|nije raspoloživo|blokirano|zatvoreno|blokada|održavanje|vlastita upotreba",
        "ไม่พร้อมให้บริการ|ไม่สามารถจองได้|ไม่พร้อมใช้งาน|ปิดกั้น|ปิด|ปิดปรับปรุง|บล็อก|บล็อกแล้ว|ถูกบล็อก|ซ่อมบำรุง",
        "予約不可|利用不可|不可预订|不可用|無法預訂|예약 불가|이용 불가|недоступно|закрыто|"
        "müsait değil|nem elérhető|indisponibil|nedostupné",
    ),
    Label.TENTATIVE: (
        "tentative|option|optional|provisional|pre booking|prebooking|pending|on hold|unconfirmed|"
        "awaiting payment|awaiting confirmation",
        "provisoire|option|en attente|à confirmer|non confirmé|non confirmée|en attente de paiement|"
        "en attente de confirmation",
        "vorläufig|vorläufige|vorlaeufig|vorgemerkt|vormerkung|provisorisch|offene|option|optional|unbestätigt|"
        "ausstehend|unverbindlich",
        "provvisorio|provvisoria|opzione|opzionato|in attesa|da confermare|non confermato|non confermata|in sospeso",
        "provisional|preliminar|tentativo|tentativa|opción|pendiente|pendiente de confirmación|por confirmar|sin confirmar",
        "provisório|provisória|opção|pendente|por confirmar|a confirmar|aguardando confirmação",
        "voorlopig|voorlopige|optie|onder voorbehoud|in afwachting|niet bevestigd|onbevestigd",
        "foreløbig|foreløbigt|option|afventer|afventer bekræftelse|ubekræftet|ikke bekræftet",
        "preliminär|preliminärt|preliminärbokad|option|väntande|avvaktar|obekräftad|ej bekräftad",
        "foreløpig|opsjon|avventer|ventende|venter på bekreftelse|ubekreftet",
        "alustava|alustavasti|optio|odottaa|odottaa vahvistusta|odottava|väliaikainen|vahvistamaton",
        "wstępna|wstępne|wstępnie|opcja|oczekujące|oczekująca|oczekuje|niepotwierdzone|niepotwierdzona",
        "předběžně|předběžná|předběžné|opce|čeká|čekající|čeká na potvrzení|nezávazná|nepotvrzeno",
        "προσωρινό|προσωρινή|σε αναμονή|εκκρεμεί|εκκρεμής|προς επιβεβαίωση|ανεπιβεβαίωτη",
        "privremeno|privremena|preliminarno|čeka potvrdu|neobvezno|opcija|na čekanju|nepotvrđeno",
        "ชั่วคราว|จองชั่วคราว|รอดำเนินการ|รอยืนยัน|รอการยืนยัน|ยังไม่ยืนยัน",
        "仮予約|暂定|보류|предварительно",
    ),
    Label.REQUEST: (
        "request|booking request|reservation request|requested|inquiry|enquiry",
        "demande|demande de réservation|demande en cours",
        "anfrage|angefragt|buchungsanfrage|reservierungsanfrage",
        "richiesta|richiesta di prenotazione",
        "solicitud|solicitud de reserva|petición|petición de reserva|consulta",
        "pedido|pedido de reserva|solicitação|solicitação de reserva|consulta",
        "aanvraag|boekingsaanvraag|reserveringsaanvraag|verzoek|boekingsverzoek|reserveringsverzoek",
        "forespørgsel|anmodning|bookingforespørgsel|bookinganmodning|reservationsanmodning",
        "förfrågan|begäran|bokningsförfrågan|reservationsförfrågan",
        "forespørsel|bookingforespørsel|bestillingsforespørsel|reservasjonsforespørsel",
        "pyyntö|varauspyyntö|kysely|varauskysely|tiedustelu",
        "zapytanie|zapytanie o rezerwację|prośba|prośba o rezerwację",
        "poptávka|žádost|žádost o rezervaci|dotaz",
        "αίτημα|αίτημα κράτησης|αίτηση|αίτηση κράτησης",
        "upit|upit za rezervaciju|zahtjev|zahtjev za rezervaciju",
        "คำขอ|คำขอจอง|คำขอการจอง|ขอจอง",
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
_PARTS = re.compile(r"[-–—:|(]")
_NAMELESS = frozenset({"event", "busy", "taken", "hold", "no title", "rental", "vacation rental", "new", "neue"})
"""Labels beside which a text may be anything: ``Event - Yoga``."""


def fold(text: str) -> str:
    """Return *text* as words in lower case, without accents and signs: ``Réservée!`` is ``reservee``."""
    plain = text.casefold()
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain)
        plain = "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_LETTERS)
    return _SIGNS.sub(" ", plain).strip()


_KNOWN = {fold(phrase): label for label, lines in reversed(WORDS.items()) for line in lines for phrase in line.split("|")}


_ALONE = frozenset({"block", "blocco", "sperre", "huolto", "remont", "entretien", "blackout"})
"""Closures that are also surnames, or parts of other texts: they count where nothing else stands beside them."""
_CLOSURES = [phrase for phrase, label in _KNOWN.items() if label is Label.CLOSURE and phrase not in _ALONE]
_LONGEST_FIRST = sorted(_KNOWN, key=len, reverse=True)
_STRONGEST = (Label.REQUEST, Label.TENTATIVE, Label.RESERVATION)
_MAX_PHRASE = max(phrase.count(" ") for phrase in _KNOWN) + 1  # words
_BY_PERSON = re.compile("block|blok|bloq|blocc|gesperrt|sparr|sperr|estetty|μπλοκ|αποκλεισμεν|บลอก")


class LabelReading(Value):
    """What a summary says: its label, if it is known, and the guest whom it names beside it."""

    label: Label | None = None
    guest: str | None = None
    is_blocked: bool = False  # a closure by a person's block, not by "not available"


def read_label(summary: str) -> LabelReading:
    """Return the label of *summary*, and the guest beside it.

    ``label``, and nothing else           that label
    labels, and nothing else              a request, else tentative, else a reservation: ``Réservation en attente``
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
    label = _label_of(folded)
    if label and label is not Label.CLOSURE:
        return LabelReading(label=label)
    if not label and (named := _read_named(summary)):
        return named
    if label or _says_closed(folded):
        return LabelReading(label=Label.CLOSURE, is_blocked=_BY_PERSON.search(folded) is not None)
    leading = _find_leading(folded)
    return LabelReading(label=leading) if leading in (Label.TENTATIVE, Label.REQUEST) else LabelReading()


def _says_closed(folded: str) -> bool:
    """Return whether the words of a closure are anywhere in a text: ``Blocked By Guesty``, ``CLOSED - Not available``.

    One pattern of all phrases would do the same, but takes milliseconds to compile at each start.
    """
    return any(phrase in folded and _has_words(folded, phrase) for phrase in _CLOSURES)


def _has_words(folded: str, phrase: str) -> bool:
    """Return whether *phrase* stands in a text apart from other letters and digits."""
    at = folded.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        if not _is_letter(folded[max(0, at - 1) : at]) and not _is_letter(folded[end : end + 1]):
            return True
        at = folded.find(phrase, at + 1)
    return False


def _find_leading(folded: str) -> Label | None:
    """Return the label with which a text begins, the longest."""
    leading = (p for p in _LONGEST_FIRST if folded.startswith(p) and not _is_letter(folded[len(p) : len(p) + 1]))
    return next((_KNOWN[phrase] for phrase in leading), None)


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_"


def _label_of(folded: str) -> Label | None:
    """Return the label of a text that says nothing else; of several labels, the one that binds least."""
    if known := _KNOWN.get(folded):
        return known
    found = _read_several(folded)
    return None if Label.CLOSURE in found else next((label for label in _STRONGEST if label in found), None)


def _read_several(folded: str) -> set[Label]:
    """Return the labels of a text that consists of labels alone; none of any other."""
    words, found = folded.split(" "), set[Label]()
    while words:
        size = next((n for n in range(min(len(words), _MAX_PHRASE), 0, -1) if " ".join(words[:n]) in _KNOWN), 0)
        if not size:
            return set()
        found.add(_KNOWN[" ".join(words[:size])])
        words = words[size:]
    return found


def is_label(summary: str) -> bool:
    """Return whether *summary* says only that its nights are taken, and names nobody."""
    text = summary[:MAX_LABEL_TEXT]
    return _has_labels_only(text) or _says_closed(fold(text))


def _has_labels_only(text: str) -> bool:
    return fold(text) in _KNOWN or all(map(_names_nobody, map(fold, _PARTS.split(text))))


def _names_nobody(part: str) -> bool:
    return not part or bool(_read_several(part)) or find_platform_name(part.replace(" ", "_")) is not None


def _read_named(summary: str) -> LabelReading | None:
    """Return the reading of a label and a name, parted by a dash, a colon or a bracket; None for any other text."""
    for mark in list(_PARTS.finditer(summary))[:4]:
        first, second = summary[: mark.start()], summary[mark.end() :]
        for words, name in ((fold(first), second), (fold(second), first)):
            label = _label_of(words)
            if label and label is not Label.CLOSURE and words not in _NAMELESS and not _says_closed(fold(name)):
                return LabelReading(label=label, guest=_read_name(name))
    return None


def _read_name(text: str) -> str | None:
    """Return *text* as a guest's name; None for one without a letter, of labels alone, or of a platform."""
    name = text.strip().strip(" \t\n,;-–—:|()[]\"'")
    is_name = any(c.isalpha() for c in name) and not _has_labels_only(name)
    return name if is_name else None
