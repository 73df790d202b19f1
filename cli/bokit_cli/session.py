"""What a command works with: the stack, the tenant and the output."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bokit.values import replace
from bokit_cli.show import NO_PROPERTY, NO_SOURCE, NO_UNIT, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.config import Settings, StackChoice
    from bokit.core.model.full_names import FullNames
    from bokit.core.model.records import SourceId, TenantId
    from bokit.engine.app import Bokit
    from bokit.stack import DeployedStack

PROJECT = Path(__file__).resolve().parents[2]


class StackLocator:
    """Finds the stack, on first use: by an option, the environment, or the local cloud's file."""

    choice: StackChoice | None = None
    """What the options of the command line name; None: nothing."""

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

    @property
    def plans(self) -> Path:
        """The user's folder of plans that wait for a person."""
        from bokit.config import find_cache_folder

        return find_cache_folder().with_name("plans")

    def load_settings(self) -> Settings:
        """Return the stack's settings, or raise an error that says what to do."""
        from bokit.config import read_environment

        stack = self._stack
        return stack.load_settings(read_environment()) if stack else self._load_other_settings()

    @cached_property
    def _stack(self) -> DeployedStack | None:
        """The deployed stack that an option or the environment names; None: neither does."""
        from bokit.config import StackChoice, read_environment, set_default_credentials, use_profile
        from bokit.wiring import find_stack

        choice, env = self.choice or StackChoice(), read_environment()
        if choice.profile:
            use_profile(choice.profile)
        elif env.get("AWS_ENDPOINT_URL"):
            set_default_credentials()
        return find_stack(choice, env)

    def _load_other_settings(self) -> Settings:
        """Return the settings of the table that the environment names, or of the local cloud."""
        from bokit.config import Settings, set_default_credentials

        settings = Settings.find(self.folders)
        if settings.endpoint_url:
            set_default_credentials()
        region = self.choice.region if self.choice else None
        return replace(settings, region=region) if region else settings

    def load_feed_settings(self) -> Settings:
        """Return the settings for fetching a feed without a stack."""
        from bokit.config import Settings

        return Settings.find_without_stack(self.folders)

    def open(self) -> Bokit:
        """Return the engine on the stack; nothing is read yet."""
        from bokit.config import read_environment
        from bokit.wiring import build_engine, open_stack

        stack = self._stack
        return open_stack(stack, read_environment()) if stack else build_engine(self._load_other_settings())


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
        """The tenant that ``--tenant`` names. The default one needs no look: it always exists, and no other has its name."""
        from bokit.core.model.catalog import DEFAULT_TENANT

        if self.tenant_name == DEFAULT_TENANT:
            return DEFAULT_TENANT
        return self.bokit.catalog.find_tenant(self.tenant_name).id

    @property
    def names(self) -> FullNames:
        """The full names of the tenant's units and sources, as they are called now."""
        return self.bokit.catalog.load_names(self.tenant)

    def name_sources(self) -> Mapping[SourceId, str]:
        """Return the full name of each source, removed ones too."""
        return self.bokit.catalog.name_sources(self.tenant)

    def first_step(self) -> str:
        """Return what to add next, where the tenant has no source or not even a place."""
        if self.bokit.catalog.list_units(self.tenant):
            return NO_SOURCE
        return NO_UNIT if self.bokit.catalog.list_properties(self.tenant) else NO_PROPERTY

    @cached_property
    def console(self) -> Console:
        """Standard output, for people; a pipe is one also where FORCE_COLOR asks for colours."""
        from rich.console import Console

        from bokit.config import read_environment

        is_terminal = None if read_environment().get("TTY_COMPATIBLE") else sys.stdout.isatty()
        return Console(highlight=False, markup=False, emoji=False, soft_wrap=False, force_terminal=is_terminal)

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

    def answer(self, document: Mapping[str, Any], show: Callable[[Console], object]) -> None:
        """Print *document* as JSON, or call *show* to print it for people."""
        if self.as_json:
            print_json(document)
        else:
            show(self.console)

    def answer_list(
        self, items: Sequence[Mapping[str, Any]], show: Callable[[Console], object], cursor: str | None = None
    ) -> None:
        """Print a list, as the contract shapes it."""
        self.answer({"items": items, "cursor": cursor}, show)
