"""No mass loss: what a source wrongly answers opens no night and changes no booking, and its owner is notified."""

from __future__ import annotations

import pytest

from tests.support.bad_bodies import BAD_BODIES, PLATFORMS, cut_everywhere, meet_hostile_feed, play_bad_body
from tests.support.hostile_feeds import FEEDS

SOME = FEEDS[::9]


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_feed_cut_at_any_byte_opens_no_night(platform):
    """Cut after each of its bytes, a feed changes no booking, and each such fetch is held and reported."""
    damage = cut_everywhere(platform)

    assert not damage.is_damage, damage.traces[:5]
    assert damage.tried > 500


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_opens_no_night_and_a_real_cancellation_still_counts(name, platform):
    """After six bad hours nothing has changed and the owner is notified; then only what was cancelled meanwhile goes."""
    damage = play_bad_body(name, platform)

    assert not damage.is_damage, damage.summary()


@pytest.mark.slow
@pytest.mark.parametrize("feed", SOME, ids=lambda feed: feed.name)
def test_a_hostile_feed_opens_no_night_at_its_first_second_and_held_sync(feed):
    """A sample of ``make reliability``: no unforeseen error, and what was known before stays."""
    damage = meet_hostile_feed(feed)

    assert not damage.is_damage, damage.summary()


def test_there_are_thirty_bad_bodies():
    """Thirty and more, for each of three histories."""
    assert len(BAD_BODIES) >= 30
