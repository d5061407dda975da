"""The one table that translates AWS's error codes into what to do about them.

Errors are values: docs/decisions/2026-11-25-aws-errors-are-values.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

from router.runtime.aws.protocols import UNREADABLE_ERRORS, AwsFault, FaultKind, WriteResponse

# Sources: the API references of BatchWriteItem, DescribeTable, ReceiveMessage, DeleteMessageBatch, SendMessageBatch,
# ChangeMessageVisibilityBatch, GetQueueUrl, GetQueueAttributes and GetObject, and of the calls of `router check --live`
# to Lambda, IAM and STS; "Error handling with DynamoDB"
# (amazondynamodb/latest/developerguide/Programming.Errors.html); the "Common Errors" page of each service, and
# for S3 "Error responses" (AmazonS3/latest/API/ErrorResponses.html), of which InvalidRequest and InvalidArgument are in
# no list, as an object or the configuration may be at fault. Where SQS has an older spelling for users of its query
# protocol (which boto3 reports), both are here. The second paragraphs name botocore's exceptions, for when no answer
# came.
_RETRY = """
    BandwidthLimitExceeded Busy ExpiredToken ExpiredTokenException IDPCommunicationError InternalError
    InternalFailure InternalServerError InternalServerException KMS.ThrottlingException KmsThrottled
    LimitExceededException OperationAborted OverLimit PriorRequestNotComplete ProvisionedThroughputExceeded
    ProvisionedThroughputExceededException ReplicatedWriteConflictException RequestExpired RequestLimitExceeded
    RequestThrottled RequestThrottledException RequestTimeout RequestTimeoutException ServiceException ServiceFailure
    ServiceUnavailable ServiceUnavailableException SlowDown TemporaryRedirect ThrottledException Throttling
    ThrottlingError ThrottlingException TooManyRequestsException TransactionCanceledException TransactionConflict
    TransactionConflictException TransactionInProgressException

    ChecksumError ConnectTimeoutError ConnectionClosedError CredentialRetrievalError EndpointConnectionError
    FlexibleChecksumError HTTPClientError IncompleteReadError MetadataRetrievalError ProxyConnectionError
    ReadTimeoutError ResponseParserError ResponseStreamingError SSLError
"""
# A full item collection may shrink one day, but one such item refuses its whole batch: as "refused" the batch is split
# until it stands alone, and the others are written.
_REFUSED = """
    413 BatchEntryIdsNotDistinct BatchRequestTooLong DuplicateItem EmptyBatchRequest
    IdempotentParameterMismatchException InvalidAttributeName InvalidAttributeValue
    InvalidBatchEntryId InvalidIdFormat InvalidInput InvalidMessageContents InvalidObjectState
    InvalidParameterCombination InvalidParameterValue InvalidParameterValueException InvalidURI
    ItemCollectionSizeLimitExceeded
    ItemCollectionSizeLimitExceededException KeyTooLongError MessageNotInflight MissingParameter
    NoSuchKey NoSuchVersion PolicyEvaluation ReceiptHandleIsInvalid RequestEntityTooLarge RequestEntityTooLargeException
    SerializationException TooManyEntriesInBatchRequest ValidationError ValidationException
"""
_CONFIGURATION = """
    AccessDenied AccessDeniedException AccountProblem AllAccessDisabled AuthFailure AuthorizationHeaderMalformed
    IncompleteSignature IncompleteSignatureException InvalidAccessKeyId InvalidAction InvalidAddress
    InvalidBucketName InvalidBucketState InvalidClientTokenId InvalidPayer InvalidSecurity InvalidSignatureException
    InvalidToken KMS.AccessDeniedException KMS.DisabledException KMS.InvalidKeyUsageException
    KMS.InvalidStateException KMS.NotFoundException KMS.OptInRequired KmsAccessDenied KmsDisabled KmsInvalidKeyUsage
    KmsInvalidState KmsNotFound KmsOptInRequired MissingAuthenticationToken MissingAuthenticationTokenException
    NoSuchBucket NoSuchEntity NonExistentQueue NotAuthorized NotSignedUp OptInRequired PermanentRedirect
    QueueDoesNotExist RequestTimeTooSkewed ResourceNotFound ResourceNotFoundException SignatureDoesNotMatch
    UnknownOperationException UnrecognizedClientException UnsupportedOperation

    EndpointProviderError EndpointResolutionError InvalidRegionError LoginError LoginInsufficientPermissions
    LoginRefreshRequired LoginTokenLoadError NoAuthTokenError NoCredentialsError PartialCredentialsError
    ProfileNotFound SSOError SSOTokenLoadError TokenRetrievalError UnauthorizedSSOTokenError
"""
_CONDITION = "ConditionalCheckFailed ConditionalCheckFailedException"
_BY_KIND: dict[FaultKind, str] = {
    "retry": _RETRY,
    "refused": _REFUSED,
    "configuration": _CONFIGURATION,
    "condition": _CONDITION,
}
KINDS: dict[str, FaultKind] = {
    code: kind for kind, codes in _BY_KIND.items() for code in codes.split()
}
"""The kind of fault by error code, without the code's namespace."""

_SQS_NAMESPACE = "AWS.SimpleQueueService."


def translate(code: str, status: int = 0, *, sender_fault: bool = False) -> AwsFault:
    """Return the fault for an error code of AWS, with or without the code's namespace.

    `sender_fault` is the `SenderFault` of an entry in SQS's batch responses. An unknown code is retried, unless SQS is
    sure that the sender is at fault.
    """
    bare = code.rpartition("#")[2].removeprefix(_SQS_NAMESPACE)
    return AwsFault(KINDS.get(bare, "refused" if sender_fault else "retry"), bare, status)


# The first of these kinds among the reasons of a canceled transaction decides: if one action can never succeed or was
# applied already, a retry for the sake of a throttled one is of no use.
_DECIDING: tuple[FaultKind, ...] = ("condition", "refused", "configuration", "retry")


def read_cancellation(reasons: Sequence[Mapping[str, Any]]) -> WriteResponse | None:
    """Return the response to a canceled transaction, from one reason for each action.

    None if no reason is given, or one is malformed.
    """
    try:
        found = [
            (translate(reason["Code"], 400), position, reason.get("Item"))
            for position, reason in enumerate(reasons)
            if reason.get("Code", "None") != "None"
        ]
    except UNREADABLE_ERRORS:
        return None
    for kind in _DECIDING:
        for fault, position, stored in found:
            if fault.kind == kind:
                return WriteResponse(fault=fault, position=position, stored=stored)
    return None
