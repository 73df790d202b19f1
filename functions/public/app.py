"""HTTP, without a token: ``/health``, and the calendars under ``/feeds``."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bokit.config import Settings
from bokit.engine.app import Bokit
from bokit.http.service import Api
from bokit.observability import ROOT, configure_lambda
from bokit.wiring import build_engine

logger = configure_lambda("public", "INFO")
api = Api("health", "feeds", is_public=True)


@cache
def engine() -> Bokit:
    """Build the engine on first use, so that importing this module needs no AWS."""
    settings = Settings.from_env()
    logging.getLogger(ROOT).setLevel(settings.log_level)
    return build_engine(settings)


@logger.inject_lambda_context  # type: ignore[untyped-decorator]
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return api.answer(event, context, engine)
