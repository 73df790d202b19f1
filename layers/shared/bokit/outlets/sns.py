"""The alert topic on SNS; its client is made when there is something to publish."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from bokit.aws_errors import AWS_ERRORS, AwsService
from bokit.core.model.notices import Notice
from bokit.outlets.faults import not_taken

TOPIC = AwsService(name="the alert topic", missing="no such alert topic; deploy the stack again, or set the topic to its output")


class SnsAlerts:
    """``Alerts`` on SNS."""

    delivers = True

    def __init__(self, make_client: Callable[[], Any], topic_arn: str) -> None:
        self._make_client, self._topic = make_client, topic_arn

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def publish(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            body = {
                "id": notice.id,
                "type": notice.type,
                "tenant": notice.tenant,
                "at": notice.at.isoformat(),
                "text": notice.text,
                "data": dict(notice.facts),
            }
            text, subject = json.dumps(body, default=str), f"Bokit: {notice.type}"
            try:
                self._client.publish(TopicArn=self._topic, Subject=subject, Message=text)
            except AWS_ERRORS as error:
                raise not_taken(error, TOPIC, code="alerts") from error
