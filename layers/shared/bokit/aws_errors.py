"""What an error of AWS means, for every service that Bokit calls: one table of codes, statuses and botocore's own errors.

    AWS, botocore ──► read_fault: a cause ──► the caller: an error of Bokit's, with what to do about it

The table, the outlets and the secrets differ in what they raise for a cause, and in nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from bokit.values import Value

AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""All that a call of botocore's raises; the last one has no class in common with the others."""


class AwsCause(StrEnum):
    """What is wrong, by what helps."""

    BUSY = "busy"
    """Throttled, overtaken by another, or broken at AWS: the same request may succeed a moment later."""
    UNREACHABLE = "unreachable"
    """No answer, or one that is not of AWS."""
    CREDENTIALS = "credentials"
    DENIED = "denied"
    CLOCK = "clock"
    """The time of this machine is wrong: AWS takes no signature older than five minutes."""
    KEY = "key"
    """The KMS key that encrypts what was asked for cannot be used."""
    MISSING = "missing"
    LIMIT = "limit"
    SETTINGS = "settings"
    """Region, profile, address or certificates of this machine."""
    CONDITION = "condition"
    TOO_LARGE = "too-large"
    INVALID = "invalid"
    """The request itself is wrong, which is a fault of Bokit."""


_CODES: Mapping[AwsCause, str] = {
    AwsCause.BUSY: """
        Throttling Throttled RequestThrottled EC2Throttled RequestLimitExceeded ProvisionedThroughputExceeded
        BandwidthLimitExceeded TooManyRequests SlowDown OverLimit KMSThrottling KMSThrottled PriorRequestNotComplete
        TransactionConflict TransactionInProgress TransactionCanceled ReplicatedWriteConflict ResourceInUse Conflict
        RequestTimeout Internal InternalServer InternalService InternalFailure ServiceUnavailable Unavailable ServiceFailure""",
    AwsCause.CREDENTIALS: """
        ExpiredToken UnrecognizedClient InvalidClientTokenId InvalidAccessKeyId MissingAuthenticationToken IncompleteSignature
        InvalidSignature SignatureDoesNotMatch InvalidToken TokenRefreshRequired Unauthorized AuthFailure""",
    AwsCause.DENIED: "AccessDenied Authorization UnauthorizedOperation NotAuthorized Forbidden OptInRequired InvalidSecurity",
    AwsCause.CLOCK: "RequestTimeTooSkewed RequestExpired RequestInTheFuture",
    AwsCause.KEY: "DecryptionFailure EncryptionFailure InvalidKeyId InaccessibleEncryptionCredentials",
    AwsCause.MISSING: """
        ResourceNotFound NotFound ParameterNotFound ParameterVersionNotFound QueueDoesNotExist NonExistentQueue
        QueueDeletedRecently TableNotFound Gone""",
    AwsCause.LIMIT: "LimitExceeded AccountLimitExceeded ServiceQuotaExceeded",
    AwsCause.CONDITION: "ConditionalCheckFailed DuplicateItem",
    AwsCause.TOO_LARGE: "ItemCollectionSizeLimitExceeded BatchRequestTooLong PayloadTooLarge RequestEntityTooLarge",
    AwsCause.INVALID: "IdempotentParameterMismatch",
}
"""AWS's codes, without their namespaces and the endings Exception, Error and Fault, in which the services differ."""
_BY_CODE = {code.lower(): cause for cause, codes in _CODES.items() for code in codes.split()}
_BY_STATUS = {401: AwsCause.CREDENTIALS, 403: AwsCause.DENIED, 404: AwsCause.MISSING, 408: AwsCause.BUSY, 409: AwsCause.BUSY} | {
    410: AwsCause.MISSING,
    413: AwsCause.TOO_LARGE,
    429: AwsCause.BUSY,
}
"""Where the code is unknown, or the answer has none; 5xx is busy, and any other 4xx invalid."""
_BY_CLASS: tuple[tuple[AwsCause, str], ...] = (
    (
        AwsCause.CREDENTIALS,
        "NoCredentialsError PartialCredentialsError CredentialRetrievalError NoAuthTokenError TokenRetrievalError SSOError "
        "UnknownTokenProviderError LoginError MetadataRetrievalError RefreshWithMFAUnsupportedError UnknownCredentialError",
    ),
    (
        AwsCause.SETTINGS,
        "SSLError ProfileNotFound ConfigParseError ConfigNotFound BaseEndpointResolverError InvalidRegionError "
        "UnknownRegionError EndpointProviderError InvalidEndpointConfigurationError InvalidProxiesConfigError "
        "InvalidDefaultsMode InvalidConfigError InvalidRetryConfigurationError DataNotFoundError MissingDependencyException "
        "InvalidIMDSEndpointError InvalidIMDSEndpointModeError InvalidSTSRegionalEndpointsConfigError",
    ),
    (AwsCause.INVALID, "ParamValidationError ValidationError MissingParametersError"),
)
"""botocore's own errors, each with its subclasses, the first that fits; what is not here got no answer."""
_LATE = ("signature expired", "signature not yet current")
_ENDINGS = ("exception", "error", "fault")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class AwsService(Value):
    """What Bokit calls a service, or the thing in it that it asks for, and what to do where it is not there."""

    name: str
    missing: str
    unreachable: str = "check the network, AWS_ENDPOINT_URL and the region"


class AwsFault(Value):
    """What one error means."""

    cause: AwsCause
    code: str
    """AWS's code, or the name of botocore's error: for the log, and safe to show."""

    def describe(self, service: AwsService) -> str:
        """Return a sentence that says what is wrong, and what to do about it; it quotes nothing of AWS's."""
        return _SENTENCES[self.cause].format(name=service.name, missing=service.missing, unreachable=service.unreachable)


_SENTENCES: Mapping[AwsCause, str] = {
    AwsCause.BUSY: "{name} is busy; try again",
    AwsCause.UNREACHABLE: "{name} does not answer; {unreachable}",
    AwsCause.CREDENTIALS: "the AWS credentials are missing, wrong or have expired; sign in again, or check AWS_PROFILE",
    AwsCause.DENIED: "access to {name} is denied; check the AWS credentials and their rights",
    AwsCause.CLOCK: "AWS refuses the time of the request; set the clock of this machine",
    AwsCause.KEY: "the KMS key of {name} cannot be used; enable it, or allow its use to this role",
    AwsCause.MISSING: "{missing}",
    AwsCause.LIMIT: "a limit of the AWS account is reached; raise it in Service Quotas",
    AwsCause.SETTINGS: "the AWS settings are wrong; check the region, AWS_PROFILE, AWS_ENDPOINT_URL and AWS_CA_BUNDLE",
    AwsCause.CONDITION: "changed by another since it was read; read it again",
    AwsCause.TOO_LARGE: "too large for {name}",
    AwsCause.INVALID: "{name} refused a request of Bokit's as wrong; report it with the log, it is a fault of Bokit",
}


def read_fault(error: Exception) -> AwsFault:
    """Return what an error means, one of ``AWS_ERRORS``."""
    if not isinstance(error, ClientError):
        return AwsFault(cause=_cause_of_class(error), code=type(error).__name__)
    answer: Mapping[str, Any] = error.response
    said = answer.get("Error", {})
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return read_code(str(said.get("Code") or status), str(said.get("Message") or ""), status)


def read_code(code: str, message: str = "", status: int | None = None) -> AwsFault:
    """Return what a code means: that of an answer, or of one reason why a transaction was cancelled.

    >>> str(read_code("com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException").cause)
    'busy'
    >>> str(read_code("InvalidSignatureException", "Signature expired: 20260601T120000Z is now earlier than ...").cause)
    'clock'
    """
    own = re.split(r"[#.]", code.partition(":")[0].replace("KMS.", "KMS"))[-1]
    return AwsFault(cause=_cause_of_code(_without_ending(own.lower()), message.lower(), status), code=_UNSAFE.sub("", own)[:80])


def _cause_of_code(code: str, message: str, status: int | None) -> AwsCause:
    known = _BY_CODE.get(code)
    if known is AwsCause.CREDENTIALS and any(late in message for late in _LATE):
        return AwsCause.CLOCK
    if known is AwsCause.DENIED and "kms" in message:
        return AwsCause.KEY
    if known:
        return known
    if code.startswith("kms"):
        return AwsCause.KEY
    if code == "validation" and "size" in message:  # of an item, a key or a transaction
        return AwsCause.TOO_LARGE
    return _cause_of_status(status or (int(code) if code.isdecimal() else 400))


def _cause_of_status(status: int) -> AwsCause:
    return AwsCause.BUSY if status >= 500 else _BY_STATUS.get(status, AwsCause.INVALID)


def _without_ending(code: str) -> str:
    return next((code.removesuffix(ending) for ending in _ENDINGS if code.endswith(ending)), code)


def _cause_of_class(error: Exception) -> AwsCause:
    for cause, names in _BY_CLASS:
        if isinstance(error, tuple(getattr(botocore_errors, name) for name in names.split())):
            return cause
    return AwsCause.UNREACHABLE
