"""Names, ARNs and URLs of queues and tables, by AWS's rules.

Queues: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
Tables: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

import re
from urllib.parse import SplitResult, urlsplit

MAX_QUEUE_NAME = 80
MIN_TABLE_NAME, MAX_TABLE_NAME = 3, 255
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
# As text, not compiled: most configs have neither ARNs nor URLs, and a cold start does without the compilation.
_ARN = (
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9]+):(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>.+)"
)
_AWS_HOST = (
    r"(?:sqs(?:-fips)?\.(?P<new>[a-z0-9-]+)|(?P<old>[a-z0-9-]+)\.queue)\.(?:amazonaws|api\.aws)\b.*"
)


def queue_name(reference: str) -> str:
    """Return the name in a queue's name, ARN or URL."""
    return re.split("[:/]", reference)[-1]


def table_name(reference: str) -> str:
    """Return the name in a table's name or ARN."""
    return reference.rpartition("/")[2]


def is_name(reference: str) -> bool:
    """Whether it is a name: neither an ARN nor a URL."""
    return ":" not in reference


def is_fifo(reference: str) -> bool:
    """Whether a queue is FIFO: by its name, never by a group id (standard queues may have those)."""
    return reference.endswith(".fifo")


def match_key(reference: str) -> str:
    """Return the key to find a queue by: `name`, `account:name` or `region:account:name`, as far as it is known."""
    arn = re.fullmatch(_ARN, reference) if reference.startswith("arn:") else None
    if arn:
        return f"{arn['region']}:{arn['account']}:{arn['name']}"
    parts = _split_url(reference)
    if parts is None:
        return reference
    account, _, name = parts.path.strip("/").partition("/")
    host = re.fullmatch(_AWS_HOST, parts.hostname or "")
    region = (host["new"] or host["old"]) if host else ""
    return f"{region}:{account}:{name}" if region else f"{account}:{name}"


def queue_fault(reference: str) -> str | None:
    """Return the error in a queue's name, ARN or URL, as the end of a sentence; None if it is valid."""
    if reference.startswith("arn:"):
        arn = re.fullmatch(_ARN, reference)
        if arn is None or arn["service"] != "sqs":
            return "is no ARN of a queue: arn:aws:sqs:REGION:ACCOUNT:NAME"
        reference = arn["name"]
    elif "://" in reference:
        parts = _split_url(reference)
        if parts is None or parts.scheme not in ("http", "https") or parts.path.count("/") != 2:
            return "is no URL of a queue: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
        reference = queue_name(reference)
    letters = reference.removesuffix(".fifo")
    if letters and len(reference) <= MAX_QUEUE_NAME and _LETTERS.issuperset(letters):
        return None
    return "is not a valid queue name: 1 to 80 letters, digits, '-' and '_', with '.fifo' at the end of a FIFO queue's"


def table_fault(reference: str) -> str | None:
    """Return the error in a table's name or ARN, as the end of a sentence; None if it is valid."""
    if reference.startswith("arn:"):
        arn = re.fullmatch(_ARN, reference)
        kind, _, reference = arn["name"].partition("/") if arn else ("", "", "")
        if arn is None or arn["service"] != "dynamodb" or kind != "table" or "/" in reference:
            return "is no ARN of a table: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME"
    if MIN_TABLE_NAME <= len(reference) <= MAX_TABLE_NAME and _LETTERS.issuperset(
        reference.replace(".", "")
    ):
        return None
    return "is not a valid table name: 3 to 255 letters, digits, '-', '_' and '.'"


def _split_url(reference: str) -> SplitResult | None:
    """Return the parts of a URL; None if it is no URL."""
    if "://" not in reference:
        return None
    try:
        return urlsplit(reference)
    except ValueError:  # such as an unmatched bracket
        return None
