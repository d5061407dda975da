"""The one table that translates AWS's error codes into what to do about them."""

from typing import Literal

from msgspec import Struct

FaultKind = Literal["retry", "refused", "setup", "condition"]


class Fault(Struct, frozen=True):
    """Why AWS did not do what was asked, without any text of AWS's.

    `kind` is "retry" (the same call may succeed later), "refused" (this request never will), "condition" (what was to
    hold does not) or "setup" (no message is at fault: no such table or queue, no permission, no valid credentials).
    `code` is AWS's own error code, or the
    name of the failure if no answer came; `status` is the HTTP status, 0 if there was none.
    """

    kind: FaultKind
    code: str
    status: int = 0


# Sources: the API references of BatchWriteItem, DescribeTable, ReceiveMessage, DeleteMessageBatch, SendMessageBatch,
# ChangeMessageVisibilityBatch, GetQueueUrl, GetQueueAttributes and GetObject, and of the calls of `router check --live`
# to Lambda, IAM and STS; "Error handling with DynamoDB"
# (amazondynamodb/latest/developerguide/Programming.Errors.html); the "Common Errors" page of each service, and
# for S3 "Error responses" (AmazonS3/latest/API/ErrorResponses.html), of which InvalidRequest and InvalidArgument are in
# no list, as they may be an object's fault or the set-up's. Where SQS has an older spelling for users of its query
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
_SETUP = """
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
    "setup": _SETUP,
    "condition": _CONDITION,
}
KINDS: dict[str, FaultKind] = {code: kind for kind, codes in _BY_KIND.items() for code in codes.split()}
"""What each known error code means. Codes are without a namespace."""

_SQS_NAMESPACE = "AWS.SimpleQueueService."


def translate(code: str, status: int = 0, *, sender_fault: bool = False) -> Fault:
    """The fault that an error code of AWS stands for, with or without the code's namespace.

    `sender_fault` is what SQS says about one entry of a batch. An unknown code may pass, so it is tried again, unless
    SQS is sure that the sender is at fault.
    """
    bare = code.rpartition("#")[2].removeprefix(_SQS_NAMESPACE)
    return Fault(KINDS.get(bare, "refused" if sender_fault else "retry"), bare, status)
