"""The requests of the other services that the product calls: queues, topics, secrets, parameters, mail and sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.aws_rules.values import Report

KIB = 1024
MAX_MESSAGE = KIB * KIB
"""Bytes of a message of SQS, and of all messages of a batch; 256 KiB until August 2025."""
MAX_ENTRIES = 10
MAX_DELAY = 900
MAX_NOTICE = 256 * KIB
MAX_SUBJECT = 100
MAX_POST = 128 * KIB
MAX_ADDRESSES = 50
BODY = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
"""The characters of a message's body: those of XML."""

Params = Mapping[str, Any]


def size_of_message(message: Params) -> int:
    """Return the bytes of a message: its body, and its attributes' names, types and values."""
    size = len(message["MessageBody"].encode(errors="surrogatepass"))
    for name, value in message.get("MessageAttributes", {}).items():
        held = value.get("StringValue", "").encode() or value.get("BinaryValue", b"")
        size += len(name.encode()) + len(value["DataType"].encode()) + len(held)
    return size


def check_message(message: Params, report: Report) -> int:
    if not BODY.fullmatch(message["MessageBody"]):
        report("message-body", message["MessageBody"][:80])
    if not 0 <= message.get("DelaySeconds", 0) <= MAX_DELAY:
        report("message-delay", message["DelaySeconds"])
    return size_of_message(message)


def check_send(params: Params, report: Report) -> None:
    if (size := check_message(params, report)) > MAX_MESSAGE:
        report("message-size", size)


def check_send_batch(params: Params, report: Report) -> None:
    entries = params["Entries"]
    check_entries(entries, report)
    if (size := sum(check_message(entry, report) for entry in entries)) > MAX_MESSAGE:
        report("message-size", size)


def check_entries(entries: list[Params], report: Report) -> None:
    ids = [entry["Id"] for entry in entries]
    if not 1 <= len(ids) <= MAX_ENTRIES:
        report("batch-entries", len(ids))
    if len(set(ids)) != len(ids) or not all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", each) for each in ids):
        report("batch-ids", ids)


def check_receive(params: Params, report: Report) -> None:
    bounds = (("MaxNumberOfMessages", 1, 10), ("WaitTimeSeconds", 0, 20), ("VisibilityTimeout", 0, 43200))
    for name, least, most in bounds:
        if name in params and not least <= params[name] <= most:
            report("receive", (name, params[name]))


def check_publish(params: Params, report: Report) -> None:
    subject, message = params.get("Subject"), params["Message"]
    if subject is not None and not re.fullmatch(rf"[!-~][ -~]{{0,{MAX_SUBJECT - 1}}}", subject):
        report("subject", subject)
    if not message or len(message.encode()) > MAX_NOTICE:
        report("notice-size", len(message.encode()))


def check_secret(params: Params, report: Report) -> None:
    name = params.get("SecretId", params.get("Name", ""))
    if not 1 <= len(name) <= 2048 or not (name.startswith("arn:") or re.fullmatch(r"[A-Za-z0-9/_+=.@-]{1,512}", name)):
        report("secret-name", name[:120])


def check_parameter(params: Params, report: Report) -> None:
    name = params["Name"]
    plain = name.removeprefix("/")
    if name.startswith("arn:") and len(name) <= 2048:
        return
    named = re.fullmatch(r"[A-Za-z0-9_./:-]+", name) and len(name) <= 1011 and name.count("/") <= 15
    if not named or re.match(r"(aws|ssm)", plain, re.IGNORECASE) or ("/" in plain and not name.startswith("/")):
        report("parameter-name", name[:120])


def check_mail(params: Params, report: Report) -> None:
    addresses = [each for kind in params["Destination"].values() for each in kind]
    if not 1 <= len(addresses) <= MAX_ADDRESSES:
        report("mail-addresses", len(addresses))
    for text in (params.get("FromEmailAddress", "?"), *addresses):
        if not text.isascii() or len(text) > 320 or re.search(r"[\r\n]", text) or "@" not in text:
            report("mail-address", text)
    if re.search(r"[\r\n]", subject := params["Content"]["Simple"]["Subject"]["Data"]) or not subject:
        report("mail-subject", subject)


def check_post(params: Params, report: Report) -> None:
    if len(params["Data"]) > MAX_POST:
        report("post-size", len(params["Data"]))
    if not params["ConnectionId"]:
        report("connection-id", "empty")


CHECKS: dict[tuple[str, str], Callable[[Params, Report], object]] = {
    ("apigatewaymanagementapi", "PostToConnection"): check_post,
    ("secretsmanager", "CreateSecret"): check_secret,
    ("secretsmanager", "GetSecretValue"): check_secret,
    ("sesv2", "SendEmail"): check_mail,
    ("sns", "Publish"): check_publish,
    ("sqs", "ChangeMessageVisibilityBatch"): lambda params, report: check_entries(params["Entries"], report),
    ("sqs", "DeleteMessageBatch"): lambda params, report: check_entries(params["Entries"], report),
    ("sqs", "ReceiveMessage"): check_receive,
    ("sqs", "SendMessage"): check_send,
    ("sqs", "SendMessageBatch"): check_send_batch,
    ("ssm", "GetParameter"): check_parameter,
    ("ssm", "PutParameter"): check_parameter,
}
