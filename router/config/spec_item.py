"""Attributes of items in the config, and how items are written."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from router.config.spec_names import AttributeType, Duration, Expression, MetaName, Spec


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
            description="Text with expressions in braces; `{{` and `}}` are braces. A missing part makes the attribute "
            "missing.",
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
        str | tuple[str | Annotated[dict[str, Any], Meta(min_length=1)], ...],
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
