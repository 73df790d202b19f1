"""What the shared layer holds: the local cloud's interpreter would hide what it lacks, so it is looked at itself."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.stack

LIMIT = 8_000_000
FROM_THE_RUNTIME = {"boto3", "botocore", "s3transfer"}
OURS = (
    "aws_lambda_powertools",
    "icalendar",
    "pynamodb",
    "recurring_ical_events",
    "certifi",
    "idna",
    "tzdata",
    "urllib3",
    "bokit",
)
NEVER_IMPORTED = {"click"}
"""x-wr-timezone's own command line wants it; a stand-in lets that be imported."""
EXPAND = """
import sys
sys.path.append(sys.argv[1])
import icalendar, recurring_ical_events
event = ("BEGIN:VEVENT", "UID:1", "DTSTART:20260601T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT")
calendar = icalendar.Calendar.from_ical("\\r\\n".join(("BEGIN:VCALENDAR", *event, "END:VCALENDAR", "")))
print(len(list(recurring_ical_events.of(calendar).between((2026, 6, 1), (2026, 7, 1)))))
"""
"""Expands a series with what is in the layer, and nothing of this machine's own libraries."""


@pytest.fixture(scope="module")
def layer(built: Path) -> Path:
    """The layer's python folder, as it is deployed."""
    return built / "SharedLayer" / "python"


def distributions(layer: Path) -> dict[str, importlib.metadata.Distribution]:
    """Return what is installed in the layer, by name."""
    found = importlib.metadata.distributions(path=[str(layer)])
    return {normalize(d.metadata["Name"]): d for d in found}


def normalize(name: str) -> str:
    """Return a distribution's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required_by(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return what a distribution needs here, extras aside."""
    wanted = [Requirement(text) for text in distribution.requires or []]
    return {normalize(w.name) for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})}


def test_nothing_that_a_library_needs_is_missing(layer):
    """Every requirement of every library is in the layer, or in Lambda's own runtime."""
    there = distributions(layer)
    needed = {need for distribution in there.values() for need in required_by(distribution)}

    assert len(there) >= 10
    assert needed - set(there) <= FROM_THE_RUNTIME | NEVER_IMPORTED


def test_the_libraries_of_the_product_are_there(layer):
    """What Bokit imports is in the layer, and so is Bokit."""
    for name in (
        "aws_lambda_powertools",
        "icalendar",
        "pynamodb",
        "recurring_ical_events",
        "certifi",
        "idna",
        "tzdata",
        "urllib3",
        "bokit",
    ):
        assert (layer / name / "__init__.py").exists(), name


def test_a_series_is_expanded_by_the_layer_alone(layer):
    """The libraries of series import what they need from the layer: the local cloud's interpreter would lend them more."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", EXPAND, str(layer)], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("3", "")


def test_no_tests_and_no_programs_are_shipped(layer):
    """Test suites, type stubs and scripts stay out of the layer."""
    names = {path.name for path in layer.rglob("*")}

    assert not names & {"tests", "bin"}
    assert not [name for name in names if name.endswith(".pyi")]


def test_it_is_small(layer, tmp_path):
    """Zipped, the layer has 8 MB at most."""
    packed = tmp_path / "layer.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(p for p in layer.rglob("*") if p.is_file()):
            file.write(path, path.relative_to(layer.parent))

    assert packed.stat().st_size <= LIMIT


def test_its_byte_code_outlives_a_zip(layer):
    """Byte code is checked by nothing but its own hash: a zip's timestamps do not undo it."""
    compiled = sorted(layer.rglob(f"*.{sys.implementation.cache_tag}.pyc"))
    flags = {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled}

    assert len(compiled) > 100
    assert flags == {0b01}
