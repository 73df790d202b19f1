"""Each alarm of the template rings for each failure, clears by itself, and rings again; checked on CloudWatch's rules."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.alarm_series import Judge, Series, turns
from tests.support.transformed import refers_to, resources, source_template, transformed

ALARMS = resources("AWS::CloudWatch::Alarm")
FUNCTIONS = resources("AWS::Lambda::Function")
QUEUES = resources("AWS::SQS::Queue")
DEAD_LETTERS = sorted(name for name in QUEUES if name.endswith("DeadLetters"))
REDRIVEN = sorted(name for name in DEAD_LETTERS if name != "TickDeadLetters")
COUNTED = sorted(name for name, alarm in ALARMS.items() if alarm.get("Statistic") == "Sum")
VISIBLE, HIDDEN = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"
LATE = 2
"""Minutes until a value is known, at most, after what it reports has ended."""


def alarm_of(name: str) -> dict[str, Any]:
    """Return the one alarm on a queue or function."""
    (alarm,) = [a for a in ALARMS.values() if refers_to(a, name) or f"{name}.QueueName" in str(a)]
    return alarm


def test_every_function_and_every_dead_letter_has_an_alarm():
    """Besides, the schedule's silence and the gateway's errors have one each, and nothing else has one."""
    names = {f"{name}Alarm" for name in DEAD_LETTERS} | {name.replace("Function", "ErrorsAlarm") for name in FUNCTIONS}

    assert set(ALARMS) == names | {"OverdueAlarm", "HttpErrorsAlarm"}
    for name in FUNCTIONS:
        assert (alarm_of(name)["MetricName"], alarm_of(name)["Threshold"]) == ("Errors", 0)


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_an_alarm_notifies_when_it_rings_and_when_it_clears(name):
    """Both go to the alert topic, whose e-mail says which; missing data is judged, so that no alarm waits for a value."""
    alarm = ALARMS[name]

    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlertTopic"}]
    assert alarm["TreatMissingData"] == ("breaching" if name == "OverdueAlarm" else "notBreaching")
    assert alarm.get("DatapointsToAlarm") == (None if name == "OverdueAlarm" else 1)


def test_silence_raises_an_alarm():
    """A schedule that stops raises an alarm: missing data breaches."""
    alarm = ALARMS["OverdueAlarm"]

    assert (alarm["Namespace"], alarm["MetricName"]) == ("Bokit", "OverdueIntervals")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]
    assert alarm["Threshold"] <= 1
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= 300


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_overdue_alarm_rings_for_lateness_and_for_silence_and_clears(data):
    """Each lasts for some minutes, one after the other."""
    judge, overdue = Judge(ALARMS["OverdueAlarm"]), Series()
    first, second = data.draw(st.integers(5, 20), "late from"), data.draw(st.integers(40, 60), "silent from")
    lasts = data.draw(st.integers(4, 10), "minutes")
    for minute in range(-10, 100):
        if not second <= minute < second + lasts:
            overdue.add(minute, 2.0 if first <= minute < first + lasts else 0.3)

    found = turns(list(judge.states({"OverdueIntervals": overdue}, 100)))

    assert [state for _, state in found] == ["ALARM", "OK", "ALARM", "OK"]
    assert [minute for minute, _ in found] == [first + 3, first + lasts + 1, second + 3, second + lasts + 1]


@pytest.mark.parametrize("name", COUNTED)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_what_is_counted_rings_for_each_failure_and_clears(name, data):
    """A failure of a function is dated by its begin, and known when it ends: after the whole timeout, at the latest."""
    judge = Judge(ALARMS[name], extra=data.draw(st.integers(0, 3), "read besides"))
    lasts = max((math.ceil(f["Timeout"] / 60) for n, f in FUNCTIONS.items() if refers_to(ALARMS[name], n)), default=0)
    late = data.draw(st.integers(0, lasts + LATE), "known after")
    first = data.draw(st.integers(10, 30), "first")
    second = first + judge.span + judge.minutes + late + data.draw(st.integers(1, 30), "second")
    series, chance = Series(), data.draw(st.randoms(use_true_random=False), "calls that went well")
    for minute in range(200):  # they say nothing, or zero
        if chance.random() < 0.5 and minute not in (first, second):
            series.add(minute, 0.0)
    for minute in (first, second):
        series.add(minute, float(data.draw(st.integers(1, 3), "failures")), late)

    found = turns(list(judge.states({ALARMS[name]["MetricName"]: series}, 200)))

    assert [state for _, state in found] == ["ALARM", "OK", "ALARM", "OK"]
    for failed, rang, cleared in ((first, found[0][0], found[1][0]), (second, found[2][0], found[3][0])):
        assert failed < rang <= failed + judge.minutes + late
        assert cleared <= failed + judge.minutes + judge.span


def test_the_ticks_letters_ring_by_what_is_sent():
    """Lambda and the scheduler send them, which SQS counts; a day later they are gone: the next minute's tick did their work."""
    alarm = alarm_of("TickDeadLetters")

    assert (alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == ("NumberOfMessagesSent", "Sum", 0)
    assert QUEUES["TickDeadLetters"]["MessageRetentionPeriod"] == 86400


@pytest.mark.parametrize("queue", REDRIVEN)
def test_other_letters_ring_by_what_lies_there(queue):
    """SQS does not count as sent what it moves itself."""
    metrics = [m["MetricStat"]["Metric"] for m in alarm_of(queue)["Metrics"] if "MetricStat" in m]

    assert [m["MetricName"] for m in metrics] == [VISIBLE, HIDDEN]
    assert all(m["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}] for m in metrics)
    assert QUEUES[queue]["MessageRetentionPeriod"] == 14 * 86400


@pytest.mark.parametrize("queue", REDRIVEN)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_each_new_letter_rings_and_an_old_one_clears(queue, data):
    """While the first still lies there, or after somebody moved it away; reading it rings nothing."""
    judge = Judge(alarm_of(queue), extra=data.draw(st.integers(1, 5), "read besides"))
    late = data.draw(st.integers(0, LATE), "known after")
    first = data.draw(st.integers(5, 20), "first")
    second = first + judge.span + late + data.draw(st.integers(2, 60), "second")
    moved = data.draw(st.one_of(st.none(), st.integers(first + 1, second - 1)), "moved away")
    read = data.draw(st.sets(st.integers(first, 150)), "minutes in which somebody reads")
    starts = data.draw(st.integers(0, first), "metrics begin")  # an idle queue has none
    visible, hidden = Series(), Series()
    for minute in range(starts, 160):
        letters = (minute >= first and not (moved and minute >= moved)) + (minute >= second)
        visible.add(minute, float(0 if minute in read else letters), late)
        hidden.add(minute, float(letters if minute in read else 0), late)

    found = turns(list(judge.states({VISIBLE: visible, HIDDEN: hidden}, 160)))

    assert [state for _, state in found] == ["ALARM", "OK", "ALARM", "OK"]
    assert [minute for minute, state in found if state == "ALARM"] == [first + max(1, late), second + max(1, late)]
    assert [minute for minute, state in found if state == "OK"] == [at + judge.span + 1 for at in (first, second)]


def test_alarms_on_expressions_are_for_a_real_account():
    """The local cloud refuses them; it has nobody to notify, either."""
    found = {name for name, resource in transformed()["Resources"].items() if resource.get("Condition") == "HasMetricMath"}

    assert found == {name for name, alarm in ALARMS.items() if "Metrics" in alarm}
    assert source_template()["Conditions"]["HasMetricMath"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "AWS::AccountId"}, "AWS::AccountId"]}]
    }
