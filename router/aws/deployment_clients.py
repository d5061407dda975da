"""The services that a deployment needs, through boto3: a call answers, or is a sentence that names the action."""

from collections.abc import Mapping
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from router.aws.calls import ERRORS
from router.aws.control_plane import clients
from router.errors import UsageError

TIMEOUT = 60
"""Seconds to wait for an answer: a bucket or an object of 50 MB takes longer than what only reads."""

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403", "Forbidden"}
)
_OLD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# Where the action has another name than the operation: "Actions, resources, and condition keys for Amazon S3"
# (service-authorization/latest/reference/list_amazons3.html).
_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}


class CloudError(UsageError):
    """A call that AWS did not do; `code` is AWS's own, or the name of what kept the call from getting an answer."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class Service:
    """One service of AWS, by boto3's client for it."""

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client

    @property
    def region(self) -> str:
        """The region that is called."""
        region: str = self._client.meta.region_name
        return region

    def ask(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Call an operation by AWS's name for it, e.g. `DescribeStacks`; raises CloudError."""
        method = getattr(self._client, xform_name(operation))
        try:
            answer: Mapping[str, Any] = method(**parameters)
        except ERRORS as error:
            raise _explain(f"{self._name}:{operation}", error) from None
        return answer


def connect(names: tuple[str, ...]) -> Mapping[str, Service]:
    """Services by name, with the environment's credentials, region and endpoint; raises UsageError (no region)."""
    return {name: Service(name, client) for name, client in clients(names, timeout=TIMEOUT).items()}


def caller_account(sts: Service) -> tuple[str, str]:
    """The account that is called, and its partition (`aws`, `aws-cn` …); raises UsageError (no credentials)."""
    answer = sts.ask("GetCallerIdentity")
    return answer["Account"], answer["Arn"].split(":")[1]


def _explain(operation: str, error: Exception) -> CloudError:
    if not isinstance(error, ClientError):
        code = type(error).__name__
        if code in ("NoCredentialsError", "PartialCredentialsError"):
            return CloudError("there are no AWS credentials in this environment", code)
        return CloudError(f"AWS did not answer {operation}: {error}", code)
    told = error.response.get("Error", {})
    code, said = told.get("Code", ""), told.get("Message", "").strip()
    action = _ACTIONS.get(operation, operation)
    if code in _DENIED:
        # AWS names who asks and what for, where it says anything; an answer to HEAD has no text.
        more = f": {said}" if said and said != "Forbidden" else ""
        return CloudError(f"these credentials may not do {action}{more}", code)
    if code in _OLD_CREDENTIALS:
        return CloudError(f"AWS does not take the credentials of this environment ({code})", code)
    return CloudError(f"AWS refuses {operation}: {said or code}", code)
