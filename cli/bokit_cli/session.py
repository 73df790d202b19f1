"""What a command works with: the stack, the tenant and the output."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bokit_cli.show import print_json

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.config import Settings
    from bokit.core.model.records import TenantId
    from bokit.engine.app import Bokit

PROJECT = Path(__file__).resolve().parents[2]


class StackLocator:
    """Finds the stack, on first use: in the local cloud's file or the environment."""

    @property
    def folders(self) -> list[Path]:
        """Where the local cloud's file may be: here and above, then in this program's project."""
        here = Path.cwd()
        return [here, *here.parents, PROJECT]

    @property
    def home(self) -> Path:
        """The folder of the logs."""
        from bokit.config import LOCAL_FILE

        return next((f for f in self.folders if (f / LOCAL_FILE).is_file()), Path.cwd()) / ".bokit"

    def load_settings(self) -> Settings:
        """Return the stack's settings, or raise ConfigError."""
        from bokit.config import Settings, set_default_credentials

        settings = Settings.find(self.folders)
        if settings.endpoint_url:
            set_default_credentials()
        return settings

    def load_feed_settings(self) -> Settings:
        """Return the settings for fetching a feed without a stack."""
        from bokit.config import Settings

        return Settings.find_without_stack(self.folders)

    def open(self) -> Bokit:
        """Return the engine on the stack; nothing is read yet."""
        from bokit.wiring import build_engine

        return build_engine(self.load_settings(), queue=None)


class Session:
    """One command's run."""

    def __init__(self, ctx: typer.Context, tenant: str = "default", as_json: bool = False) -> None:
        self.locator: StackLocator = ctx.obj or StackLocator()
        self.tenant_name, self.as_json = tenant, as_json

    @cached_property
    def bokit(self) -> Bokit:
        """The engine."""
        return self.locator.open()

    @cached_property
    def tenant(self) -> TenantId:
        """The tenant that ``--tenant`` names."""
        return self.bokit.catalog.find_tenant(self.tenant_name).id

    @cached_property
    def console(self) -> Console:
        """Standard output, for people."""
        from rich.console import Console

        return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)

    @property
    def user(self) -> str:
        """The person at the keyboard, for the change log."""
        try:
            return f"user:{getpass.getuser()}"
        except (KeyError, OSError):
            return "user:unknown"

    @property
    def shows_progress(self) -> bool:
        """Whether standard error is a person's terminal."""
        return not self.as_json and sys.stderr.isatty()

    def answer(self, document: Mapping[str, Any], show: Callable[[Console], None]) -> None:
        """Print *document* as JSON, or call *show* to print it for people."""
        if self.as_json:
            print_json(document)
        else:
            show(self.console)

    def answer_list(self, items: Sequence[Mapping[str, Any]], show: Callable[[Console], None], cursor: str | None = None) -> None:
        """Print a list, as the contract shapes it."""
        self.answer({"items": items, "cursor": cursor}, show)
