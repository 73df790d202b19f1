"""E-mail by SES; its client is made when there is something to send."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from bokit.aws_errors import AWS_ERRORS, AwsService, read_fault
from bokit.core.model.alerts import PendingAlert
from bokit.errors import SourceRefusedError, SourceUnavailableError

MAIL = AwsService(name="SES", missing="SES does not know the sender; verify the address of MailFrom")

REFUSED = frozenset({"AccountSuspendedException", "BadRequestException", "MailFromDomainNotVerifiedException", "MessageRejected"})
"""What SES answers where a retry fails again until somebody acts."""


class SesMail:
    """Sends plain text from one address."""

    def __init__(self, make_client: Callable[[], Any], sender: str) -> None:
        self._make_client, self._sender = make_client, sender

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def send(self, address: str, alert: PendingAlert) -> None:
        """Return once SES accepted the message; raises SourceRefusedError or SourceUnavailableError."""
        content = {
            "Subject": {"Data": alert.title, "Charset": "UTF-8"},
            "Body": {"Text": {"Data": alert.text, "Charset": "UTF-8"}},
        }
        try:
            self._client.send_email(
                FromEmailAddress=self._sender, Destination={"ToAddresses": [address]}, Content={"Simple": content}
            )
        except AWS_ERRORS as error:
            fault = read_fault(error)
        else:
            return
        if fault.code in REFUSED:
            raise SourceRefusedError("SES refused the message; check that both addresses are verified", code="mail-refused")
        message = f"SES did not take the message, Bokit will retry: {fault.describe(MAIL)}"
        raise SourceUnavailableError(message, code="mail", error=fault.code)
