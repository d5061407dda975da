"""Types of values in the config: names, expressions, durations, and maps with known keys."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from router.model import META_NAMES

META_PATTERN = rf"^({'|'.join(META_NAMES)}|attribute\..+)$"


def form(pattern: str, message: str) -> dict[str, Any]:
    """Return what the schema has of a pattern, with what editors and findings say of text that does not match it.

    Only the schema has it: msgspec would compile the pattern at each start.
    """
    return {"patternErrorMessage": f"must be {message}", "pattern": pattern}


def _form(pattern: str, message: str) -> Meta:
    return Meta(extra_json_schema=form(pattern, message))


Name = Annotated[
    str,
    _form(
        r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        "a name of letters, digits, '_', '.' and '-' that begins with a letter or digit",
    ),
]
"""A name in the config itself: of a queue, table, route or plugin."""
AttributeName = Annotated[str, _form(r"^[^\x00]", "a name that is not empty")]
"""The name of an attribute; the router's parser writes an empty key of the file with a NUL."""
Expression = Annotated[str, Meta(min_length=1)]
Disposition = Literal["dead_letter", "drop", "retry"]
Duration = Annotated[
    str, _form(r"^[0-9]{1,9}[smhdw]$", "a whole number and a unit (s, m, h, d or w), as 90d")
]
SilentAfter = Annotated[
    Duration | None,
    Meta(
        description="An alarm rings if nothing was received from it for so long, `5m` to "
        "`1d`: a sender may have stopped. Default: it may be silent.",
        examples=["1h"],
    ),
]
Timestamp = Annotated[
    str,
    _form(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$",
        "a time with Z or an offset, as 2026-01-02T03:04:05Z",
    ),
]
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds of the units of a duration such as `90d`."""
AttributeType = Literal["S", "N", "B", "BOOL", "SS", "NS", "BS", "M", "L", "json"]
MetaName = Annotated[str, _form(META_PATTERN, f"one of {', '.join(META_NAMES)} or attribute.NAME")]
IndexName = Annotated[
    str,
    _form(r"^[A-Za-z0-9_.-]{3,255}$", "3 to 255 letters, digits, '_', '.' and '-'"),
]
"""The name of a secondary index."""
Bucket = Annotated[
    str,
    _form(
        r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "a bucket's name: 3 to 63 lower-case letters, digits, '.' and '-'",
    ),
]


TAG = r"[A-Za-z0-9_.:/=+@ -]"
TAG_WORDS = "letters, digits, spaces and '_.:/=+@-'"
Owner = Annotated[str, _form(rf"^{TAG}{{1,128}}$", f"a name of up to 128 {TAG_WORDS}")]
"""The name of a team or person; it is the value of a tag, too."""
TagName = Annotated[str, _form(rf"^{TAG}{{1,128}}$", f"a name of up to 128 {TAG_WORDS}")]
TagValue = Annotated[str, _form(rf"^{TAG}{{0,256}}$", f"up to 256 {TAG_WORDS}")]
"""What SQS and DynamoDB accept as a tag in letters of ASCII:
https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""
MAX_TAGS = 49
"""A resource has up to 50 tags; one is for its owner."""


KmsKey = Annotated[
    str,
    Meta(
        description="The ARN of the KMS key that it is encrypted with. Default: a key "
        "of AWS's own.",
        examples=["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    ),
]
PreviousKmsKey = Annotated[
    str,
    Meta(
        description="The ARN of the KMS key that it was encrypted with before, or its "
        "messages or items are: it can "
        "still be decrypted with. Remove it when nothing is left that needs it.",
        examples=["arn:aws:kms:eu-west-1:123456789012:key/0987dcba-09fe-87dc-65ba-ab0987654321"],
    ),
]
Architecture = Annotated[
    Literal["arm64", "x86_64"], Meta(description="The processor architecture.")
]
LogRetention = Annotated[
    Duration,
    Meta(
        description="The retention of its log: 1, 3, 5, 7, 14, 30, 60, 90 … days, as "
        "CloudWatch Logs accepts them."
    ),
]
EnvironmentVariables = Annotated[
    dict[str, str],
    Meta(
        description="More environment variables, for plugins. Variables that the "
        "config refers to as `${NAME}` are "
        "set without being named here.",
        examples=[{"GEO_TABLE": "${STAGE:-dev}-places"}],
    ),
]


OwnerName = Annotated[
    Owner,
    Meta(
        description="The team or person that it belongs to. Default: the `owner` of the file.",
        examples=["team-orders"],
    ),
]
Description = Annotated[
    str,
    Meta(
        max_length=500,
        description="What it is for, in words. The alarms of a queue have it.",
        examples=["paid orders"],
    ),
]
Tags = Annotated[
    dict[TagName, TagValue],
    Meta(
        max_length=MAX_TAGS,
        description="Tags, added to the `tags` of the file; queues and tables that the "
        "stack creates get them, and "
        "`owner`.",
        examples=[{"cost-center": "42"}],
    ),
]


class Spec(Struct, frozen=True, forbid_unknown_fields=True):
    """A map with known keys."""


def published_name(name: str) -> str:
    """Return the name of a structure as the file has it: a route, not its settings."""
    return name.removesuffix("Settings")


def structures() -> dict[str, type[Spec]]:
    """Return all structures of the config by their published names."""
    found: list[type[Spec]] = [Spec]
    for each in found:
        found += each.__subclasses__()
    return {published_name(each.__name__): each for each in found}


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as `90d`."""
    return int(text[:-1]) * SECONDS[text[-1]]


# Who may send to a queue, and how the function reaches it: its network, concurrency and pollers.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-limits.html
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-eventsourcemapping-provisionedpollerconfig.html

Senders = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=2048)], ...],
    Meta(
        max_length=50,
        description="Who may send to it, besides whom IAM policies of its account allow: ARNs of "
        "SNS topics, EventBridge rules, S3 buckets, IAM roles and users, and accounts. The queue "
        "gets a policy for them, without which no topic, rule or bucket can send.",
        examples=[["arn:aws:sns:eu-west-1:123456789012:orders"]],
    ),
]
ReservedConcurrency = Annotated[
    Annotated[int, Meta(ge=0, le=100_000)] | None,
    Meta(
        description="The concurrent invocations that are reserved for it, and the most that it "
        "has; 0 stops it. Default: it shares the concurrency of the account."
    ),
]
"""A quota of the account is the real maximum."""


class Pollers(Spec, frozen=True, kw_only=True):
    """Pollers that are provisioned for a queue, and paid for by the hour."""

    min: Annotated[int, Meta(ge=2, le=200, description="The least pollers.", examples=[2])] = 2
    max: Annotated[int, Meta(ge=2, le=10_000, description="The most pollers.")] = 200


ProvisionedPollers = Annotated[
    Pollers | None,
    Meta(
        description="Pollers that Lambda keeps ready for this queue, so that it follows bursts "
        "faster; not together with `maximum_concurrency`. Default: Lambda's own, free of charge.",
        examples=[{"min": 2, "max": 20}],
    ),
]


class Vpc(Spec, frozen=True, kw_only=True):
    """The network that the function is in."""

    subnets: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1, max_length=16, description="Its subnets.", examples=[["subnet-0a1b2c3d"]]
        ),
    ]
    security_groups: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=5,
            description="Its security groups.",
            examples=[["sg-0a1b2c3d"]],
        ),
    ]


VpcSettings = Annotated[
    Vpc | None,
    Meta(
        description="The network that it is in; it needs a way to SQS, DynamoDB and CloudWatch "
        "Logs there: endpoints, or a NAT gateway. Default: none."
    ),
]
