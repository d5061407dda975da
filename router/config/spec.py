"""The one description of `routes.yaml`: the parser, the editors' JSON Schema and the reference are made from it."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from router.model import META_NAMES, KeyType

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        extra={"rule": "a name of letters, digits, '_', '.' and '-' that begins with a letter or digit"},
    ),
]
"""A name in the config itself: of a queue, table, route or plugin. Each pattern has its rule in words."""
Expression = Annotated[str, Meta(min_length=1)]
Disposition = Literal["dead_letter", "drop", "retry"]
Duration = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,9}[smhdw]$",
        extra={"rule": "a whole number and a unit (s, m, h, d or w), as 90d"},
    ),
]
AttributeType = Literal["S", "N", "B", "BOOL", "SS", "NS", "BS", "M", "L", "json"]
MetaName = Annotated[
    str,
    Meta(
        pattern=r"^(message_id|sent_at|first_received_at|group_id|sequence_number|deduplication_id|sender_id|queue"
        r"|route|attribute\..+)$",
        extra={"rule": f"one of {', '.join(META_NAMES)} or attribute.NAME"},
    ),
]


Bucket = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        extra={"rule": "a bucket's name: 3 to 63 lower-case letters, digits, '.' and '-'"},
    ),
]


class Spec(Struct, frozen=True, forbid_unknown_fields=True):
    """A map with known keys."""


class Retry(Spec, frozen=True):
    """How long a message that is to be retried stays hidden: random up to a bound that grows with its receive count."""

    base: Annotated[Duration, Meta(description="The bound after the first receive.")] = "2s"
    factor: Annotated[
        int,
        Meta(
            ge=1,
            le=10,
            description="How many times longer the bound is with each further receive.",
            extra={"rule": "a whole number from 1 to 10"},
        ),
    ] = 2
    cap: Annotated[Duration, Meta(description="The bound never is longer.")] = "15m"
    lambda_: Annotated[
        bool, Meta(description="In Lambda too, where it costs a call for each batch with such messages.")
    ] = field(name="lambda", default=False)


class S3Pointer(Spec, frozen=True):
    """What the envelope `s3_pointer` may fetch: messages too large for SQS, that the Extended Client put into S3."""

    buckets: Annotated[
        Annotated[tuple[Bucket, ...], Meta(min_length=1)],
        Meta(
            description="The buckets that may be read; a pointer to another one is rejected.", examples=[["payloads"]]
        ),
    ]
    max_bytes: Annotated[
        int,
        Meta(
            ge=1,
            le=67_108_864,
            description="The largest object that is fetched; a larger one is rejected.",
            extra={"rule": "a whole number from 1 to 67108864"},
        ),
    ] = 16_777_216


class Queue(Spec, frozen=True):
    """An SQS queue. A queue with no settings needs no entry."""

    name: Annotated[
        str,
        Meta(description="Its name, URL or ARN. Default: the key.", examples=["${STAGE:-dev}-user-metadata"]),
    ] = ""
    envelope: Annotated[
        tuple[str, ...],
        Meta(
            description="Envelopes around the message, unwrapped in order: `sns`, `eventbridge`, `cloudevents`, "
            "`s3_pointer`, or one that a plugin registers.",
            examples=[["sns"]],
        ),
    ] = ()
    s3_pointer: Annotated[
        S3Pointer | UnsetType, Meta(description="What the envelope `s3_pointer` may fetch; it needs this.")
    ] = UNSET
    encoding: Annotated[
        Literal["json", "base64", "base64+gzip"],
        Meta(description="How the innermost payload is encoded; each is JSON in the end."),
    ] = "json"
    dead_letter: Annotated[
        str,
        Meta(
            description="Where rejected messages go: a key of `queues`, else a queue's name, URL or ARN. Without it "
            "they stay on their queue, for its own redrive policy.",
            examples=["user-metadata-dlq"],
        ),
    ] = ""
    match: Annotated[
        Literal["first", "all"],
        Meta(description="Which of the routes whose `when` holds get the message."),
    ] = "all"
    unmatched: Annotated[Disposition, Meta(description="What happens to a message that no route takes.")] = (
        "dead_letter"
    )
    retry: Annotated[Retry, Meta(description="The back-off of messages that are to be retried.")] = Retry()
    atomic: Annotated[bool, Meta(description="Write all items of one message in one transaction.")] = False


class Table(Spec, frozen=True, kw_only=True):
    """A DynamoDB table."""

    name: Annotated[
        str,
        Meta(
            description="Its name or ARN, in the router's region. Default: the key.",
            examples=["${STAGE:-dev}-user-metadata"],
        ),
    ] = ""
    key: Annotated[
        dict[str, KeyType],
        Meta(
            min_length=1,
            max_length=2,
            description="The key attributes and their types: the partition key, then the sort key if there is one.",
            examples=[{"user_id": "S", "at": "N"}],
        ),
    ]
    ttl: Annotated[
        str, Meta(description="The attribute that DynamoDB's time to live reads.", examples=["expires_at"])
    ] = ""


class TtlAfter(Spec, frozen=True):
    """A time to live counted from a time in the message."""

    from_: Annotated[
        Expression,
        Meta(description="A time: ISO 8601 text with an offset or `Z`, or seconds since 1970."),
    ] = field(name="from")
    after: Annotated[Duration, Meta(description="How long after it: `90d`; units s, m, h, d, w.")]


class Attribute(Spec, frozen=True):
    """An attribute of an item: one source (`from`, `meta`, `value`, `template`, `hash`, `ttl`), and its treatment."""

    from_: Annotated[
        Expression | UnsetType,
        Meta(description="JMESPath over the message.", examples=["device.model"]),
    ] = field(name="from", default=UNSET)
    meta: Annotated[
        MetaName | UnsetType,
        Meta(
            description="Something about the message: `message_id`, `sent_at`, `first_received_at`, `group_id`, "
            "`sequence_number`, `deduplication_id`, `sender_id`, `queue`, `route`, or `attribute.NAME`.",
            examples=["sent_at"],
        ),
    ] = UNSET
    value: Annotated[Any, Meta(description="A constant.", examples=["mobile"])] = UNSET
    template: Annotated[
        str | UnsetType,
        Meta(
            description="Text with expressions in braces; `{{` is a brace. A missing part makes the attribute missing.",
            examples=["USER#{user_id}#{device.model}"],
        ),
    ] = UNSET
    hash: Annotated[
        Annotated[tuple[Expression, ...], Meta(min_length=1)] | UnsetType,
        Meta(
            description="Expressions; the attribute is the SHA-256 (lower-case hex) of the canonical JSON array of "
            "their values. A missing value is an error.",
            examples=[["user_id", "device"]],
        ),
    ] = UNSET
    ttl: Annotated[
        Duration | TtlAfter | UnsetType,
        Meta(description="Seconds since 1970, this long after the message was sent.", examples=["90d"]),
    ] = UNSET
    transform: Annotated[
        str | tuple[str | dict[str, Any], ...],
        Meta(
            description="Transforms in order: a name, or a map of a name to its argument (a list: several; a map: by "
            "name).",
            examples=[["strip", {"truncate": 80}]],
        ),
    ] = ()
    type: Annotated[
        AttributeType | UnsetType,
        Meta(description="The DynamoDB type; `json` is JSON text in an S. Default: as the value is."),
    ] = UNSET
    default: Annotated[Any, Meta(description="The value to use when there is none.", examples=["unknown"])] = UNSET
    missing: Annotated[
        Literal["omit", "null", "error", "remove"] | UnsetType,
        Meta(
            description="When there is no value: leave the attribute out, store NULL, reject the message, or (updates) "
            "remove it. Default: `omit`, and `error` for key attributes."
        ),
    ] = UNSET


class Write(Spec, frozen=True, kw_only=True):
    """How an item is written."""

    mode: Annotated[
        Literal["put", "insert", "newest", "update", "delete"],
        Meta(
            description="`put` replaces, `insert` keeps the first, `newest` keeps the greatest `version`, `update` "
            "sets the mapped attributes only, `delete` deletes the key."
        ),
    ] = "put"
    version: Annotated[
        str | UnsetType, Meta(description="The attribute that orders writes of one key.", examples=["seen_at"])
    ] = UNSET
    add: Annotated[tuple[str, ...], Meta(description="`update`: attributes to add to the stored number or set.")] = ()
    append: Annotated[tuple[str, ...], Meta(description="`update`: attributes to append to the stored list.")] = ()
    keep_first: Annotated[tuple[str, ...], Meta(description="`update`: attributes to set only once.")] = ()
    once: Annotated[
        str | UnsetType, Meta(description="`update`: the table for markers that make `add` and `append` repeat-safe.")
    ] = UNSET
    once_key: Annotated[
        Expression | UnsetType, Meta(description="What identifies the effect. Default: route and message id.")
    ] = UNSET


class Test(Spec, frozen=True):
    """A message and what becomes of it, run by `router test` and sent by `router demo`."""

    name: Annotated[str, Meta(description="What the test shows.")] = ""
    message: Annotated[Any, Meta(description="The message; envelopes and encoding of the queue are put around it.")] = (
        UNSET
    )
    body: Annotated[str | UnsetType, Meta(description="The body as SQS has it, instead of `message`.")] = UNSET
    attributes: Annotated[dict[str, str], Meta(description="Message attributes, as strings.")] = {}
    item: Annotated[dict[str, Any] | UnsetType, Meta(description="The one item that is written, whole.")] = UNSET
    item_contains: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Attributes of the one item that is written.")
    ] = UNSET
    items: Annotated[
        tuple[dict[str, Any], ...] | UnsetType,
        Meta(description="All items that this route writes, in order, each whole."),
    ] = UNSET
    outcome: Annotated[
        Literal["written", "dropped", "rejected", "retry"], Meta(description="How the message ends.")
    ] = "written"
    code: Annotated[
        str | UnsetType, Meta(description="The code of the reason, where it is not written.", examples=["RT806"])
    ] = UNSET


class Route(Spec, frozen=True):
    """A flow from a queue to a table."""

    queue: Annotated[str, Meta(min_length=1, description="A key of `queues`, else a queue's name, URL or ARN.")]
    table: Annotated[str, Meta(min_length=1, description="A key of `tables`.")]
    when: Annotated[
        Expression | UnsetType,
        Meta(
            description="JMESPath over the message; the route takes it if this holds. Default: always.",
            examples=["type == 'device'"],
        ),
    ] = UNSET
    schema: Annotated[
        str | dict[str, Any] | bool | UnsetType,
        Meta(
            description="The JSON Schema of the message: a file, relative to this one, or the schema itself.",
            examples=["schemas/user-metadata.json"],
        ),
    ] = UNSET
    plugins: Annotated[
        tuple[str, ...] | UnsetType,
        Meta(description="Plugins whose transform hooks run, in this order. Default: all that are loaded."),
    ] = UNSET
    options: Annotated[
        dict[str, Any],
        Meta(description="Settings for plugins, by plugin name.", examples=[{"devices": {"unknown": "other"}}]),
    ] = {}
    for_each: Annotated[
        Expression | UnsetType,
        Meta(
            description="JMESPath to a list; each element makes an item of its own. Expressions of `item` then see "
            "`element` and `message`.",
            examples=["lines"],
        ),
    ] = UNSET
    item: Annotated[
        Annotated[dict[str, Expression | Attribute], Meta(min_length=1)] | UnsetType,
        Meta(
            description="The attributes of the item: JMESPath, or a map. Default: the whole message.",
            examples=[{"user_id": "user_id", "seen_at": {"meta": "sent_at"}}],
        ),
    ] = UNSET
    write: Annotated[Write, Meta(description="How it is written.")] = Write()
    on_invalid: Annotated[Disposition, Meta(description="What happens to a message that fails the schema.")] = (
        "dead_letter"
    )
    tests: Annotated[tuple[Test, ...], Meta(description="Messages and what becomes of them.")] = ()


class Config(Spec, frozen=True, kw_only=True):
    """All flows of one router. Top-level keys that start with `x-` are ignored."""

    version: Annotated[Literal[1], Meta(description="The version of this format.")]
    plugins: Annotated[
        tuple[str, ...],
        Meta(
            description="Plugins, in order: a Python file, relative to this one, or an installed module.",
            examples=[["plugins/devices.py", "acme_router_plugins"]],
        ),
    ] = ()
    queues: Annotated[dict[Name, Queue], Meta(description="Queues with settings, by name.")] = {}
    tables: Annotated[dict[Name, Table], Meta(description="Tables, by name.")] = {}
    routes: Annotated[
        dict[Name, Route], Meta(min_length=1, description="Routes, by name; their order is the order of matching.")
    ]
