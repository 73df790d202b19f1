"""The demo lives in the default tenant: its names are free of those that README and the examples use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from local.demo_records import BILLING, CRM, PREFIX
from simulator.scenario import README_LISTING, add_readme_listing, build_demo, config_of

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_readme_uses_no_name_of_the_demo():
    """No property or unit of the demo is named in README, and the listing that README adds is in no config file."""
    world = build_demo(1, datetime(2026, 11, 20, tzinfo=UTC))
    add_readme_listing(world)
    properties = config_of(world, "http://127.0.0.1:9")["properties"]
    names = {name for p in properties for name in (p["name"], *(unit["name"] for unit in p["units"]))}

    assert len(names) == 4
    assert [name for name in names if f'"{name}"' in README] == []
    assert f"/{README_LISTING}.ics" in README
    assert README_LISTING in world.feeds
    assert README_LISTING not in str(properties)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_use_no_name_of_the_demo(file):
    """Sources and collections of the demo's records are named differently from those of the examples."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))

    assert not {CRM, BILLING} & {source["name"] for source in document.get("sources", ())}
    assert not [c for c in document["collections"] if c["name"].startswith(PREFIX)]


@pytest.mark.parametrize("kind", ["collections", "sources"])
def test_the_examples_declare_nothing_twice(kind):
    """README imports one after another: none changes what another one declared, and no collection has two sources' ids."""
    names = [item["name"] for file in EXAMPLES for item in yaml.safe_load(file.read_text(encoding="utf-8")).get(kind, ())]

    assert len(names) > 1
    assert sorted(names) == sorted(set(names))
