"""``python -m local.deploy STAGE [--check] [--stack NAME] [--built FOLDER]``, called by the Makefile.

Parameters come from the untracked file ``deploy.STAGE.params``, and over it PARAMS and ALARM_EMAIL of the environment;
tags from TAGS.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.deploy.flow import ROOT, Request, deploy
from local.deploy.notices import require_address
from local.deploy.parameters import read_assignments, read_file
from local.deploy.plan import EMAIL
from local.deploy.stages import find_stage
from local.errors import DeployError


def read_given(stage: str, env: Mapping[str, str], folder: Path = ROOT) -> dict[str, str]:
    """Return the parameters that are given, the last word by PARAMS. Raises DeployError."""
    file = folder / f"deploy.{stage}.params"
    address = env.get("ALARM_EMAIL", "").strip()
    return {
        **(read_file(file) if file.exists() else {}),
        **({EMAIL: require_address(address)} if address else {}),
        **read_assignments(env.get("PARAMS", "")),
    }


def _ask(question: str) -> str:
    sys.stdout.write(question)
    sys.stdout.flush()
    return sys.stdin.readline()


def _read_request(arguments: Sequence[str]) -> Request:
    parser = argparse.ArgumentParser(prog="make deploy")
    parser.add_argument("stage")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--stack", default="")
    parser.add_argument("--built", default="")
    options = parser.parse_args(arguments)
    stage = find_stage(options.stage)
    return Request(
        stage=stage,
        stack=options.stack or stage.stack,
        given=read_given(stage.name, os.environ),
        tags=read_assignments(os.environ.get("TAGS", ""), "TAGS"),
        region=os.environ.get("AWS_REGION") or None,
        built=Path(options.built).resolve() if options.built else None,
        only_checks=options.check,
        ask=_ask if sys.stdin.isatty() else None,
    )


def main(arguments: Sequence[str]) -> int:
    """Deploy; on DeployError print one line and return 2."""
    try:
        deploy(_read_request(arguments))
    except DeployError as error:
        sys.stderr.write(f"bokit: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
