"""The folder and the ports of a local cloud: the one place that knows their numbers and variables."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError
from simulator.address import PORT as SIMULATOR_PORT

ROOT = Path(__file__).resolve().parents[1]
REGION = "us-east-1"
PORT = 14566


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port on loopback, and what listens there."""

    daemon: str
    """The background process's name."""
    about: str
    variable: str
    """Of the environment: it sets another port."""
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder of one local cloud and its two ports on loopback."""

    home: Path
    port: int
    simulator_port: int
    root: Path = ROOT
    tools: Path = ROOT / ".bokit"
    """The folder with the environments of MiniStack and SAM."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Place:
        """Return this clone's place, with ports from BOKIT_PORT and BOKIT_SIMULATOR_PORT."""
        env = os.environ if env is None else env
        return cls(
            home=ROOT / ".bokit",
            port=_read_port(env, "BOKIT_PORT", PORT),
            simulator_port=_read_port(env, "BOKIT_SIMULATOR_PORT", SIMULATOR_PORT),
        )

    @property
    def ports(self) -> tuple[Port, Port]:
        """The ports, in the order in which their processes start."""
        return (
            Port(daemon="emulator", about="the local cloud", variable="BOKIT_PORT", number=self.port),
            Port(
                daemon="simulator",
                about="the simulated platforms",
                variable="BOKIT_SIMULATOR_PORT",
                number=self.simulator_port,
            ),
        )

    @property
    def endpoint_url(self) -> str:
        """The URL of the emulated AWS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def simulator_url(self) -> str:
        """The URL of the simulated platforms."""
        return f"http://127.0.0.1:{self.simulator_port}"

    @property
    def runtime(self) -> str:
        """The Lambda runtime of this interpreter's version."""
        return f"python{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def architecture(self) -> str:
        """The Lambda architecture of this machine."""
        return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"

    def enter(self) -> Place:
        """Let this process and its children see this cloud alone, and neither account nor settings of the user; return it."""
        env = self.aws_env()
        os.environ.clear()
        os.environ.update(env)
        return self

    def aws_env(self) -> dict[str, str]:
        """Return an environment in which every AWS client uses this cloud, and no account of the user."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BOKIT_", "SAM_"))}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }


def _read_port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise LocalError(f"{name} must be 1–65535, not {text}")
    return int(text)
