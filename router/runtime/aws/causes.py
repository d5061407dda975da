"""What an error code of AWS, or the name of a failure without an answer, means in words.

Only those have words that the caller can do something about: credentials, permissions, names, the network.
"""

NO_CREDENTIALS = "there are no AWS credentials in this environment"
REFUSED_CREDENTIALS = "AWS does not accept the credentials of this environment"
_CODES = {
    "nothing answered; AWS_ENDPOINT_URL, the region and the network decide what is called": """
        ConnectTimeoutError EndpointConnectionError ProxyConnectionError
    """,
    NO_CREDENTIALS: "NoAuthTokenError NoCredentialsError PartialCredentialsError",
    "the credentials of this environment cannot be fetched": """
        CredentialRetrievalError MetadataRetrievalError
    """,
    "the session of this profile has ended; sign in again": """
        LoginError LoginRefreshRequired LoginTokenLoadError SSOError SSOTokenLoadError TokenRetrievalError
        UnauthorizedSSOTokenError
    """,
    REFUSED_CREDENTIALS: """
        ExpiredToken ExpiredTokenException InvalidAccessKeyId InvalidClientTokenId InvalidSecurity SignatureDoesNotMatch
        UnrecognizedClientException
    """,
    "these credentials may not do this": """
        AccessDenied AccessDeniedException KMS.AccessDeniedException KmsAccessDenied
    """,
    "there is none of this name in this account and region": """
        NonExistentQueue QueueDoesNotExist ResourceNotFoundException
    """,
    "no bucket has this name": "NoSuchBucket",
    "the bucket has no such object": "NoSuchKey",
    "the address of the queue is none of SQS": "InvalidAddress",
    "there is no trusted connection by TLS": "SSLError",
    "the clock of this machine is wrong": "RequestTimeTooSkewed",
}
_WORDS = {code: words for words, codes in _CODES.items() for code in codes.split()}


def in_words(code: str) -> str:
    """Return a code, and what it means if that is known."""
    # SQS's query protocol has a namespace before the code.
    words = _WORDS.get(code.rpartition(".")[2]) or _WORDS.get(code)
    return f"{code}: {words}" if words else code
