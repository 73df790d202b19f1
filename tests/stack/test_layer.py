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

from local import stack
from local.place import ROOT, Place

pytestmark = pytest.mark.stack

LIMIT = 8_000_000
FROM_THE_RUNTIME = {"boto3", "botocore", "s3transfer"}
STAND_INS = {"click", "charset-normalizer"}
"""What libraries import and never use here; a stand-in lets them."""
EXPAND = """
import sys
sys.path.append(sys.argv[1])
import icalendar, recurring_ical_events
event = ("BEGIN:VEVENT", "UID:1", "DTSTART:20260601T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT")
calendar = icalendar.Calendar.from_ical("\\r\\n".join(("BEGIN:VCALENDAR", *event, "END:VCALENDAR", "")))
print(len(list(recurring_ical_events.of(calendar).between((2026, 6, 1), (2026, 7, 1)))))
"""
"""Expands a series with what is in the layer, and nothing of this machine's own libraries."""


class OtherMachine(Place):
    """A place for the architecture that this machine is not."""

    @property
    def architecture(self) -> str:
        return "x86_64" if super().architecture == "arm64" else "arm64"


@pytest.fixture(scope="module")
def layer(built: Path) -> Path:
    """The layer's python folder, as it is deployed."""
    return built / "SharedLayer" / "python"


@pytest.fixture(scope="module")
def other_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `sam build` makes it for the other architecture."""
    place = OtherMachine(home=tmp_path_factory.mktemp("other"), port=0, simulator_port=0)
    return stack.build_stack(place, "SharedLayer") / "SharedLayer" / "python"


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
    assert needed - set(there) <= FROM_THE_RUNTIME | STAND_INS


def test_the_libraries_of_the_product_are_there(layer):
    """What Bokit imports is in the layer, and so is Bokit."""
    for name in (
        "aws_lambda_powertools",
        "icalendar",
        "pynamodb",
        "recurring_ical_events",
        "requests",
        "certifi",
        "idna",
        "tzdata",
        "urllib3",
        "bokit",
    ):
        assert any((layer / name).glob("__init__.py*")), name


def test_a_series_is_expanded_by_the_layer_alone(layer):
    """The libraries of series import what they need from the layer: the local cloud's interpreter would lend them more."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", EXPAND, str(layer)], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("3", "")


def test_the_client_is_imported_by_the_layer_alone(layer):
    """requests and the guarded client are imported without a warning, and without what only this machine has."""
    code = "import sys; sys.path.append(sys.argv[1]); import bokit.net.session"
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", code, str(layer)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_no_tests_and_no_programs_are_shipped(layer):
    """Test suites, type stubs and scripts stay out of the layer."""
    names = {path.name for path in layer.rglob("*")}

    assert not names & {"tests", "bin"}
    assert not [name for name in names if name.endswith(".pyi")]


def test_it_is_small(layer, other_layer, tmp_path):
    """Zipped, with byte code, the layer has 8 MB at most on both architectures."""
    assert len({extension_of(folder) for folder in (layer, other_layer)}) == 2
    for folder in (layer, other_layer):
        assert any(folder.rglob(f"*.{sys.implementation.cache_tag}.pyc"))
        packed = tmp_path / "layer.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                file.write(path, path.relative_to(folder.parent))
        assert packed.stat().st_size <= LIMIT


def extension_of(folder: Path) -> str:
    """Return the name of the layer's largest compiled library, which holds its architecture."""
    return next(folder.glob("pydantic_core/*.so")).name


def test_a_build_for_another_machine_is_not_deployed(layer, other_layer):
    """The check of `make deploy` knows each architecture's build by its compiled libraries."""
    script, runtime = str(ROOT / "layers/shared/check_build.py"), f"python{sys.version_info.major}.{sys.version_info.minor}"
    machines = ("x86_64", "arm64")
    passes = [
        [
            subprocess.run(
                [sys.executable, script, folder, runtime, m, "--byte-code"], check=False, capture_output=True
            ).returncode
            == 0
            for m in machines
        ]
        for folder in (str(layer), str(other_layer))
    ]

    assert sorted(passes) == [[False, True], [True, False]]


def test_its_byte_code_outlives_a_zip(layer):
    """Byte code is checked by nothing but its own hash: a zip's timestamps do not undo it."""
    own, others = ([*folder.rglob("*.pyc")] for folder in (layer / "bokit", layer / "requests"))
    flags = {int.from_bytes(path.read_bytes()[4:8], "little") for path in layer.rglob("*.pyc")}

    assert (len(own) > 100, len(others) > 10) == (True, True)
    assert flags == {0b01}


def test_of_libraries_there_is_byte_code_alone(layer):
    """Bokit's sources are there, for the lines in a traceback; those of libraries would be a sixth of the layer."""
    assert {path.relative_to(layer).parts[0] for path in layer.rglob("*.py")} == {"bokit"}
