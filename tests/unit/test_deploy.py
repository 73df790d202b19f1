"""`make deploy`: which parameters it takes, what it sends, and what it finds wrong before anything is built."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from local.deploy.__main__ import read_given
from local.deploy.account import Concurrency, StackState
from local.deploy.checks import check_environment, check_python, check_rules, check_stack, judge_concurrency
from local.deploy.notices import ADDRESSES_END, NOBODY, ask_for_address, notices
from local.deploy.parameters import Template, read_assignments, require_known
from local.deploy.plan import Plan
from local.deploy.stages import CONFIG, STAGES, find_stage
from local.errors import DeployError

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Template.read(ROOT / "template.yaml")
HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
CLOSED = "http://127.0.0.1:1"


def plan(stage: str = "prod", current: dict[str, str] | None = None, **given: str) -> Plan:
    """Return a deployment of template.yaml."""
    return Plan(template=TEMPLATE, stage=STAGES[stage], given=given, current=current)


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it as the Makefile does, without a terminal and without an account."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BOKIT_")) and name != "ALARM_EMAIL"
    }
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    command = [sys.executable, "-m", "local.deploy", *arguments]
    variables = kept | nowhere | {"AWS_ENDPOINT_URL": CLOSED, "NO_PROXY": "127.0.0.1"} | env
    return subprocess.run(command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def an_interpreter(folder: Path, version: str) -> str:
    """Return a program that answers as Python of another version would."""
    file = folder / version
    file.write_text(f"#!/bin/sh\necho {version}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_values_are_quoted_as_in_a_shell():
    """Spaces, commas and equals signs stay in a value, and an empty one is a value."""
    given = read_assignments("CorsOrigins=https://a.example,https://b.example 'LogLevel=a b' MailFrom= JwtIssuer=https://x/?a=b")

    assert given == {
        "CorsOrigins": "https://a.example,https://b.example",
        "LogLevel": "a b",
        "MailFrom": "",
        "JwtIssuer": "https://x/?a=b",
    }


@pytest.mark.parametrize(
    ("text", "fix"), [("LogLevel=a b", "quote a value"), ("=b", "quote a value"), ("A='b", "close each quote")]
)
def test_what_is_not_an_assignment_is_refused(text, fix):
    """The refusal says how to write it."""
    with pytest.raises(DeployError, match=fix):
        read_assignments(text)


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("AlarmMail", "a@b.example", "did you mean AlarmEmail?"),
        ("alarmemail", "a@b.example", "did you mean AlarmEmail?"),
        ("Nonsense", "1", "choose one of AlarmEmail, "),
        ("LogLevel", "debug", "choose one of DEBUG, "),
        ("DefaultInterval", "soon", "it must be a number"),
        ("DefaultInterval", "59", "it must be 60 or more"),
        ("LeastInterval", "99999999999", "it must be 31536000 or less"),
        ("CorsOrigins", "example.com", "it must match "),
    ],
)
def test_an_unknown_parameter_or_value_stops_it_before_anything_is_asked_or_built(name, value, fix):
    """The template's own terms apply; the command ends with one line."""
    with pytest.raises(DeployError, match=re.escape(fix)):
        require_known({name: value}, TEMPLATE)
    ended = run("default", PARAMS=f"{name}={value}")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert fix in ended.stderr


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ({"DomainName": "a.example.com"}, "DomainName and LiveDomainName require CertificateArn."),
        ({"SqlSubnetIds": "subnet-1,subnet-2"}, "SqlSubnetIds requires SqlSecurityGroupIds."),
        ({"JwtAudience": "bokit"}, "JwtAudience requires JwtIssuer."),
        ({"AllowPrivateAddresses": "true"}, "AllowPrivateAddresses must be false unless Stage is local."),
        ({"SqlSubnetIds": "subnet-1", "SqlSecurityGroupIds": "sg-1"}, None),
        ({"LiveDomainName": "b.example.com", "CertificateArn": "arn:aws:acm:x"}, None),
    ],
)
def test_values_that_do_not_go_together_stop_it(given, fix):
    """By the template's own rules, which CloudFormation asks once all is built; what the stack has counts."""
    for wanted in (plan(**given), plan("default", current=given)):
        found = check_rules(wanted)
        assert found.is_wrong == (fix is not None)
        assert (fix or "given") in found.text


def test_the_last_word_is_that_of_params(tmp_path):
    """Over the untracked file stands ALARM_EMAIL, and over both PARAMS."""
    (tmp_path / "deploy.prod.params").write_text("# ours\nLogLevel=DEBUG\n\nAlarmEmail = file@example.com\n")

    assert read_given("prod", {}, tmp_path) == {"LogLevel": "DEBUG", "AlarmEmail": "file@example.com"}
    assert read_given("staging", {}, tmp_path) == {}
    assert read_given("prod", {"ALARM_EMAIL": "env@example.com"}, tmp_path)["AlarmEmail"] == "env@example.com"
    both = {"ALARM_EMAIL": "env@example.com", "PARAMS": "AlarmEmail=params@example.com"}
    assert read_given("prod", both, tmp_path) == {"LogLevel": "DEBUG", "AlarmEmail": "params@example.com"}


def test_no_tracked_file_has_parameters():
    """samconfig.toml names stacks alone, and git ignores the file with parameters."""
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))

    assert [s for s in config if s != "version" and "parameter_overrides" in config[s]["deploy"]["parameters"]] == []
    assert "deploy.*.params" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_every_stage_has_a_stack_of_its_own_and_is_named_in_it():
    """What a stage begins with are parameters of the template; no stage reads feeds at private addresses."""
    assert len({stage.stack for stage in STAGES.values()}) == 3
    for name, stage in STAGES.items():
        require_known(stage.first, TEMPLATE)
        assert plan(name).sent["Stage"] == name
        assert plan(name).effective["AllowPrivateAddresses"] == "false"
    with pytest.raises(DeployError, match="did you mean prod"):
        find_stage("pord")


def test_a_stack_begins_with_its_stages_values_and_keeps_those_of_former_deployments():
    """A later deployment sends what is given, and what was built; CloudFormation keeps the others."""
    first = plan(LogLevel="DEBUG").sent
    assert (first["LogRetentionDays"], first["LogLevel"]) == ("90", "DEBUG")

    later = plan(current={"LogRetentionDays": "365", "LogLevel": "DEBUG", "PythonRuntime": "python3.12"}, DefaultInterval="900")
    assert later.sent == {
        "Stage": "prod",
        "PythonRuntime": "python3.12",
        "Architecture": "arm64",
        "DeletionProtection": "true",
        "DefaultInterval": "900",
    }
    assert (later.effective["LogRetentionDays"], later.runtime) == ("365", "python3.12")


def test_runtime_and_architecture_are_read_in_one_place():
    """As given, else as the stack has them, else as the template says; what is built for is sent."""
    usual = TEMPLATE.defaults
    assert (plan().runtime, plan().architecture) == (usual["PythonRuntime"], usual["Architecture"])
    for chosen in (plan(Architecture="x86_64"), plan(current={"Architecture": "x86_64"})):
        assert chosen.architecture == chosen.sent["Architecture"] == "x86_64"
        assert check_environment(chosen, {"BOKIT_ARCHITECTURE": "x86_64"}).is_wrong is False
        assert 'PARAMS="Architecture=arm64"' in check_environment(chosen, {"BOKIT_ARCHITECTURE": "arm64"}).text
        assert check_environment(chosen, {"BOKIT_RUNTIME": "python3.99"}).is_wrong


@pytest.mark.parametrize(
    ("stage", "given", "current", "sent", "in_the_end"),
    [
        ("prod", {}, None, "false", True),
        ("default", {}, None, "false", True),
        ("staging", {}, None, "false", False),
        ("prod", {"DeletionProtection": "true"}, None, "false", True),
        ("staging", {"DeletionProtection": "true"}, None, "false", True),
        ("prod", {"DeletionProtection": "false"}, None, "false", False),
        ("prod", {}, {"DeletionProtection": "false"}, "true", True),
        ("prod", {"DeletionProtection": "false"}, {"DeletionProtection": "true"}, "false", False),
        ("staging", {}, {"DeletionProtection": "true"}, "true", True),
        ("prod", {"ExistingTable": "restored"}, None, "false", False),
    ],
)
def test_a_new_stack_is_never_born_protected(stage, given, current, sent, in_the_end):
    """It could not be rolled back; its table is protected afterwards, and stays so."""
    wanted = Plan(template=TEMPLATE, stage=STAGES[stage], given=given, current=current)

    assert (wanted.sent["DeletionProtection"], wanted.protects) == (sent, in_the_end)


def test_without_an_address_it_says_loudly_that_nobody_is_notified():
    """An address that is given, or that the stack has, is enough."""
    assert NOBODY in notices(plan())
    assert NOBODY not in notices(plan(AlarmEmail="a@b.example"))
    assert NOBODY not in notices(plan(current={"AlarmEmail": "a@b.example"}))


def test_it_says_that_only_a_domain_survives_until_there_is_one():
    """The addresses of API Gateway end with the stack."""
    assert ADDRESSES_END in notices(plan())
    assert ADDRESSES_END not in notices(plan(current={"ApiAddress": "https://bokit.example"}))
    assert ADDRESSES_END not in notices(plan(DomainName="bokit.example"))


def test_a_person_at_a_terminal_is_asked_once():
    """Only where nobody is notified; an empty answer leaves everything as it is."""
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "rosa@example.com\n"

    assert ask_for_address(plan(), ask) == {"AlarmEmail": "rosa@example.com"}
    assert ask_for_address(plan(AlarmEmail="c@example.com"), ask) == {}
    assert ask_for_address(plan(current={"AlarmEmail": "c@example.com"}), ask) == {}
    assert ask_for_address(plan(), lambda question: "\n") == ask_for_address(plan(), None) == {}
    assert len(asked) == 1


@pytest.mark.parametrize("text", ["rosa", "rosa@example", "a b@example.com", "a@example.com; rm -rf /", "a@b.c Stage=x"])
def test_what_is_not_an_e_mail_address_stops_the_deploy(text):
    """Nothing of it reaches SAM."""
    with pytest.raises(DeployError, match="not an e-mail address"):
        ask_for_address(plan(), lambda question: text)
    assert run("default", ALARM_EMAIL=text).returncode == 2


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({}, "WRONG region       no region is set: `export AWS_REGION="),
        (
            {"AWS_REGION": "eu-west-1"},
            "WRONG credentials  AWS does not accept the credentials (Unable to locate credentials): set AWS_PROFILE",
        ),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found: set AWS_PROFILE to one of"),
        (
            {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1"},
            "WRONG credentials  AWS does not accept the credentials (Could not connect to the endpoint URL",
        ),
    ],
)
def test_without_region_or_credentials_nothing_is_built(env, line):
    """One line says what to set."""
    ended = run("default", "--check", **env)

    assert ended.returncode == 2
    assert line in ended.stdout + ended.stderr


def test_byte_code_needs_the_runtimes_own_python(tmp_path):
    """Any interpreter of that version will do; without one the fix names three ways."""
    other = an_interpreter(tmp_path, "python3.99")

    assert check_python("python3.99", [sys.executable, other]).text == f"python3.99: {other}"
    missing = check_python("python3.98", [sys.executable, other, str(tmp_path / "none")])
    assert missing.is_wrong
    assert all(part in missing.text for part in ("install it", "BOKIT_PYTHON=", f'PARAMS="PythonRuntime={HERE}"'))


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("CREATE_COMPLETE", None),
        ("UPDATE_COMPLETE", None),
        ("UPDATE_ROLLBACK_COMPLETE", None),
        ("IMPORT_COMPLETE", None),
        ("ROLLBACK_COMPLETE", "sam delete --stack-name bokit --region eu-west-1 --no-prompts`, then deploy again"),
        ("ROLLBACK_FAILED", "describe-stack-events --stack-name bokit --region eu-west-1"),
        ("CREATE_FAILED", "describe-stack-events"),
        ("DELETE_FAILED", "describe-stack-events"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name bokit --region eu-west-1"),
        ("UPDATE_FAILED", "rollback-stack --stack-name bokit"),
        ("UPDATE_IN_PROGRESS", "wait for its end"),
        ("ROLLBACK_IN_PROGRESS", "wait for its end"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "wait for its end"),
        ("DELETE_IN_PROGRESS", "wait for its end"),
    ],
)
def test_a_stack_that_cannot_be_updated_stops_it(status, fix):
    """The finding says what makes it one that can be."""
    found = check_stack("bokit", StackState(status=status, parameters={}), "eu-west-1")

    assert found.is_wrong == (fix is not None)
    assert (fix or "") in found.text


@pytest.mark.parametrize(
    ("limit", "unreserved", "asked", "is_wrong"),
    [
        (10, 10, 0, False),
        (10, 10, 1, True),
        (1000, 1000, 900, False),
        (1000, 1000, 901, True),
        (1000, 120, 20, False),
        (50, 50, -20, False),
    ],
)
def test_a_reservation_beyond_the_account_stops_it(limit, unreserved, asked, is_wrong):
    """A new account has 10 concurrent executions and none to reserve; of a usual one 100 stay unreserved."""
    found = judge_concurrency(Concurrency(limit=limit, unreserved=unreserved), asked)

    assert found.is_wrong == is_wrong
    assert ("Service Quotas" in found.text) == is_wrong


def test_what_the_functions_reserve_is_read_from_the_template():
    """What the stack holds already is not asked for again."""
    assert plan(PublicConcurrency="0").asked == 0
    assert plan(PublicConcurrency="30").asked == 30
    assert plan(current={"PublicConcurrency": "20"}, PublicConcurrency="30").asked == 10
