"""The glossary and the code use the same terms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers/shared/bokit"
ROWS = re.findall(
    r"^\| (?!term |---)([^|]+) \| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"), re.M
)

_ORDINARY = """
Access Action Adapter Answer Attribute Before Ends Address Api Author Bad Body Bokit Bound By Call Cause Changes Check Choice
Client Codec Column Config Content Context Copy Counts Created Current Data Database Delete Diff Disabled Disagreement
Dispatch Document Drop Due Dynamo Ended Engine Error Event Exchange
Explained Facts Failure Field Fields File Files Finisher First Format Formatter Forwarded Found Full Gateway General Group Guarded
Health Http Ical Id Idempotent Import In Index Inject Input Item Json Keep Kept Key Kind Known Later Lazy Light Limit
Limiter Line Lines List Listed Listing Loader Loss Mail Malformed Manual Map Mark Marks Memory Message Messages Meta Method Named
Never New No Number
Occurrence On Other Out Own Pair Part Parts Path Plain Private Progress Put Query Queue Quoted Range Rate Raw Reach Read
Reader Reason Refused Removal Removed Report Request Response Result Rotation Routes Safe Sample Schema Sequence Series
Service Ses Session Set Settings Shape Snapshot Sns Span Spec Specs Sql Sqs Stale Start State Status Step Stop Stopped Store
Stream Summary Survey Synced Syncer Table Target Test Tested Text Time Tls To Transaction Triggered Type Unavailable Unknown
Unreachable Unreadable Update Updated Value Variant Version Versioned View Waiting Wire Work Write Writer Zones
"""
ORDINARY = frozenset(_ORDINARY.split())
"""Words of class names that any engineer knows, and that mean nothing special here."""


def definitions() -> tuple[set[str], set[str]]:
    """Return the public classes of the product, and every other name that it defines: functions, fields, constants."""
    classes, others = set(), set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                classes.add(node.name)
            elif isinstance(node, ast.FunctionDef):
                others.add(node.name)
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                others |= {t.id for t in targets if isinstance(t, ast.Name)}
    return {name for name in classes if not name.startswith("_")}, others


def words_of(name: str) -> set[str]:
    """Return the words of a class name: ``StaleFenceError`` is stale, fence, error."""
    return set(re.findall(r"[A-Z][a-z]+|[A-Z]+(?![a-z])", name))


def test_every_name_in_the_glossary_is_in_the_code():
    """The column «in code» has names that there are."""
    classes, others = definitions()
    named = {name for _, _, code in ROWS for name in re.findall(r"`([^`]+)`", code)}

    assert len(ROWS) > 50
    assert named - classes - others == set()


def test_every_term_in_the_name_of_a_class_is_in_the_glossary():
    """A word that is more than ordinary English and names a class has its line."""
    classes, _ = definitions()
    words = {word.lower() for term, _, code in ROWS for word in [*re.findall(r"\w+", term), *words_of(code)]}
    terms = {word.removesuffix("s") for word in words}
    missing = {word: name for name in sorted(classes) for word in words_of(name) if word not in ORDINARY}

    ordinary = {word.lower() for word in ORDINARY}
    assert {w: n for w, n in missing.items() if w.lower().removesuffix("s") not in terms | ordinary} == {}


def test_the_terms_are_in_order_and_each_stands_once():
    """One word for one thing."""
    terms = [term for term, _, _ in ROWS]

    assert terms == sorted(set(terms))
