"""The registry of RT codes, and the codes RT8xx that logs and dead letters give as the reason of an outcome.

Those from RT790 to RT799 are declared here too: what reports them needs more packages than `router check --explain`.

A code is declared beside the code that reports it, by `declare`. This module is imported at a cold start of the
Lambda function; `router.tools.check.rule.known_codes` imports every other module that declares codes.
"""

from collections.abc import Mapping

from router.model import Code, Severity

RETIRED: Mapping[str, str] = {
    "RT213": "modes that undo each other were reported where keys are mapped alike; RT626 to RT628 compare the keys.",
    "RT307": "a schema was compared with the judgement of a second library, which never validates messages.",
    "RT312": "examples were compared with the judgement of a second library, which never validates messages.",
    "RT745": "a mapping exceeded the limits of batches; Lambda refuses such a mapping, so that none is deployed.",
}
"""Ids that were in use once, with the reason why they no longer are. An id is never used again."""
_DECLARED: dict[str, Code] = {}


def declare(id_: str, title: str, why: str, severity: Severity = "error") -> Code:
    """Return a new code and register it; raises ValueError if the id is in use, or is retired."""
    code = Code(id_, title, why, severity)
    if id_ in RETIRED or _DECLARED.setdefault(id_, code) != code:
        raise ValueError(f"{id_} is declared twice, or is retired")
    return code


def declared() -> Mapping[str, Code]:
    """Return the codes of the modules that are imported so far, by id, in order."""
    return dict(sorted(_DECLARED.items()))


SECRET_IN_PACKAGE = declare(
    "RT790",
    "a file of the package that looks like a secret",
    "A user who may read the function's code reads the package, and one who may pull a worker's image reads the image. "
    "`router build`, `router deploy` and `router template --format docker` refuse a file with a key, a token or a "
    "password in it; `--allow-file` is for one that only looks so.",
)
KEY_CHANGED = declare(
    "RT791",
    "a KMS key that changes without `kms_key_previous`",
    "What was stored before is encrypted with the previous key. Without permission to decrypt with it, the router "
    "cannot receive such a message. `router deploy` reports it, and changes nothing without `--allow-destructive`: "
    "set `kms_key_previous` to the previous key until nothing is left that needs it. A previous key that is no longer "
    "named while messages wait is reported, too: wait until the queue is empty.",
    "warning",
)
EXISTS_ALREADY = declare(
    "RT792",
    "a queue or table that a stack is to create, and that exists",
    "CloudFormation imports an existing table whose name is literal in the template, and no queue. It does not create "
    "one while the name is taken: the deployment would fail in the middle. `router deploy` and `router rollback` "
    "change nothing. `managed: false` on a queue or table only refers to it.",
)
NO_CODEDEPLOY = declare(
    "RT793",
    "CodeDeploy does not answer",
    "`router deploy --canary` shifts to a new version by CodeDeploy. Where that does not answer, as on a local AWS, "
    "the deployment would fail in the middle: nothing is changed.",
)
CANNOT_START = declare(
    "RT794",
    "a function that cannot start",
    "Each message would be received in vain until it is a dead letter. `router deploy` and `router rollback` invoke a "
    "new version without records before it gets messages. If it does not answer, the stack returns to what it was. "
    "Usual causes are a package for another processor or Python, a module or variable that only the machine of the "
    "build has, and a `router_start` that raises.",
)
NOT_PROBED = declare(
    "RT795",
    "a new version of a function that could not be invoked",
    "It is not known whether it starts, so that it gets no message: the stack returns to what it was. The credentials "
    "need `lambda:InvokeFunction` and `cloudformation:SignalResource`, and the account needs concurrency that is not "
    "used up.",
)
NOT_JSON = declare(
    "RT801",
    "the payload is not JSON",
    "It is not JSON, not UTF-8, or empty. NaN and Infinity are not JSON either.",
)
BAD_ENVELOPE = declare(
    "RT802",
    "the envelope or encoding is not what the queue is configured for",
    "A payload that is not wrapped as `envelope` and `encoding` say cannot be unwrapped.",
)
OUT_OF_BOUNDS = declare(
    "RT803",
    "the message exceeds a limit",
    "Nesting over 64, a payload that unpacks to more than 16 MiB, an object in S3 over `max_bytes`, a number that "
    "cannot be held exactly, or a list of more than 10,000 elements: refused before work is done on it.",
)
NO_ROUTE = declare(
    "RT805",
    "no route takes the message",
    "Each route of the queue has a `when` that does not hold; `unmatched` of the queue decides.",
)
INVALID = declare(
    "RT806",
    "the message fails its schema",
    "The reason names the keyword and its place in the schema; `on_invalid` of the route decides.",
)
UNMAPPABLE = declare(
    "RT807",
    "the message cannot be mapped to an item",
    "A value is missing that must be there, has a type that cannot be converted, or an expression fails on it.",
)
BAD_KEY = declare(
    "RT808",
    "the item has no valid key",
    "A key attribute is missing, empty, too long, or of another type than the table's key.",
)
BAD_ITEM = declare(
    "RT809",
    "DynamoDB could not store the item",
    "Over 400 KB, a number of more than 38 digits or out of range, nesting over 32, an empty or mixed set.",
)
BAD_VERSION = declare(
    "RT804",
    "the message has no valid version or idempotency key",
    "`version` or `once_key` is missing, is of a type that has no order, or of another type than the stored version.",
)
PLUGIN_REJECTED = declare(
    "RT810", "a plugin rejected the message", "The reason is the plugin's own."
)
DROPPED = declare(
    "RT811",
    "the message was dropped",
    "A plugin raised Drop, the config says `drop`, or `for_each` found an empty list.",
)
PLUGIN_RETRY = declare("RT812", "a plugin asked to retry", "The reason is the plugin's own.")
PLUGIN_FAILED = declare(
    "RT813",
    "a plugin or a transform failed",
    "It raised an exception other than Drop, Reject and Retry; the message stays on its queue, since a corrected "
    "plugin can process it.",
)
RETRY_LATER = declare(
    "RT814",
    "a write to DynamoDB or a read from S3 did not succeed in time",
    "Throttling, a server error, or a time-out; the message stays on its queue.",
)
REFUSED = declare(
    "RT815",
    "the table refused the item",
    "DynamoDB found the item alone invalid, though it passed the checks before.",
)
CONFIGURATION_ERROR = declare(
    "RT816",
    "a configuration error",
    "No such table, access denied, or a key that is not the table's: no message is at fault, and each stays on its "
    "queue.",
)
UNKNOWN_QUEUE = declare(
    "RT817",
    "the config does not know the queue",
    "The function is triggered by a queue that no route names; its messages stay on it.",
)
NO_DEAD_LETTER = declare(
    "RT818",
    "the dead letter could not be sent",
    "The dead-letter queue is missing, unreachable, or refused the letter; the message stays on its queue.",
)
NOT_STARTED = declare(
    "RT819",
    "the message was not started",
    "Time was nearly up, an earlier message of its group was not acknowledged, an earlier write of one of its items is "
    "still to be made, or the payloads before it in its batch are too large; it stays on its queue.",
)
ALREADY_THERE = declare(
    "RT820",
    "the item is there already",
    "A conditional write failed: the message is a duplicate, or another one wrote the same item first. It is counted "
    "as a conflict too if the stored content differs.",
)
SUPERSEDED = declare(
    "RT821",
    "the stored version is equal or newer",
    "The stored version is not less than the message's; where it is equal and the content differs, that is counted as "
    "a conflict too.",
)
NOT_ATOMIC = declare(
    "RT822",
    "the writes of the message cannot be one transaction",
    "The queue is `atomic`, and the message makes more than 100 writes, or two of one item, or more than 4 MB.",
)
BAD_POINTER = declare(
    "RT823",
    "the pointer to the payload cannot be followed",
    "The envelope `s3_pointer` found a pointer that is malformed, or names a bucket that is not one of `buckets`, or "
    "the object is not there.",
)
REDACTED = declare(
    "RT825",
    "the route needs a value that is redacted",
    "The message was a dead letter of a queue with `redact`, and a value that a route, its schema or a plugin may read "
    "is redacted in it for ever.",
)
NOT_OF_SQS = declare(
    "RT824",
    "the event has no records of SQS",
    "The Lambda function was invoked by another service, or by hand with an event of another form; the invocation "
    "fails, and nothing is acknowledged.",
)
