"""What belongs to one API is made one after the other: API Gateway refuses changes of an API that come at the same time."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from tests.support.conditions import names_in, settle
from tests.support.transformed import as_list, transformed

CHILDREN = {f"AWS::ApiGatewayV2::{kind}" for kind in ("Authorizer", "Integration", "Route", "Stage")}
APIS = ("HttpApi", "LiveApi")
JWT = {"JwtIssuer": "https://issuer.example", "JwtAudience": "bokit"}
STACKS: dict[str, dict[str, str]] = {"usual": {}, "jwt": JWT, "no-cors": {"CorsOrigins": ""}}
"""Parameters that decide what belongs to an API."""


def waits_for(made: dict[str, Any], name: str) -> set[str]:
    """Return all that is made before *name*."""
    before, left = set[str](), [name]
    while left:
        direct = {n for n in names_in(made[left.pop()]) if n in made} - before
        before |= direct
        left.extend(direct)
    return before


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(("api", "count"), [("HttpApi", 17), ("LiveApi", 8)])
def test_what_belongs_to_an_api_is_a_chain(api, count, stack):
    """Of each two, one waits for the other, whichever authorizer there is; the stage, which deploys, is the last."""
    made = settle(**STACKS[stack])["Resources"]
    there = {n for n, r in made.items() if r["Type"] in CHILDREN and r["Properties"]["ApiId"] == {"Ref": api}}
    before = {name: waits_for(made, name) & there for name in there}
    (stage,) = [name for name in there if made[name]["Type"] == "AWS::ApiGatewayV2::Stage"]

    assert len(there) == count
    assert [{a, b} for a, b in combinations(sorted(there), 2) if (a in before[b]) == (b in before[a])] == []
    assert before[stage] == there - {stage}


def test_the_apis_and_the_conditions_of_what_belongs_to_them_are_tried():
    """A third API, or another condition, is added above."""
    found = transformed()["Resources"].items()

    assert sorted(n for n, r in found if r["Type"] == "AWS::ApiGatewayV2::Api") == sorted(APIS)
    assert {r["Condition"] for _, r in found if r["Type"] in CHILDREN and "Condition" in r} == {"UsesJwt", "UsesTokens"}


def test_nothing_waits_by_name_for_what_may_not_be_there():
    """No DependsOn names a resource with a condition."""
    found = transformed()["Resources"]
    named = {name for r in found.values() for name in as_list(r.get("DependsOn", []))}

    assert named
    assert [name for name in sorted(named) if "Condition" in found[name]] == []
