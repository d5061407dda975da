"""The codes RT9xx of `router diff`: what the step from one config to the next breaks, risks or
changes.

`ignore` of a config and `router check --explain` import this module alone, without what compares configs. An error is
a breaking change, a warning is a risky one.
"""

from router.codes import declare

NO_LONGER_TAKEN = declare(
    "RT901",
    "messages that a route no longer takes",
    "A message that the old config writes is refused by the new one. The example was run through both. Senders that "
    "follow the old contract fill the dead-letter queue.",
)
NOT_DECIDED = declare(
    "RT902",
    "a change of which it is not known whether it refuses messages",
    "Neither a proof nor an example was found. The sentence says what could not be decided.",
    "warning",
)
NEWLY_TAKEN = declare(
    "RT903",
    "messages that a route newly takes",
    "They reach a mapping, and readers of the table, that never saw such messages. The example was run through both.",
    "warning",
)
ROUTE_REMOVED = declare(
    "RT904",
    "a route that was removed",
    "Its items are no longer written, and the messages of a queue without routes are no longer received.",
)
ROUTE_ADDED = declare(
    "RT905", "a new route", "It takes messages that were not written to its table before.", "info"
)
RENAMED = declare(
    "RT906",
    "a new name",
    "Everything else is the same. Metrics and logs are by name, and so are `{meta: route}`, `{meta: queue}` and the "
    "idempotency keys of `once`.",
    "info",
)
OTHER_QUEUE = declare(
    "RT907",
    "a route that reads another queue",
    "Messages on the queue that it read are no longer received by it.",
)
DISPOSITION = declare(
    "RT908",
    "refused messages that end in another way",
    "`on_invalid`, `unmatched` and `dead_letter` decide where a message goes that is not written.",
    "warning",
)
MESSAGES_LOST = declare(
    "RT909",
    "refused messages that are no longer kept",
    "Messages that were dead-lettered or retried are now dropped: nothing can bring them back.",
)
PLUGINS_CHANGED = declare(
    "RT910",
    "plugins that changed",
    "A plugin can change, drop or reject each message and item. Only running messages shows what is different.",
    "warning",
)
ATTRIBUTE_REMOVED = declare(
    "RT911",
    "an attribute that is no longer written",
    "Readers of the table find it in old items and miss it in new ones.",
)
ATTRIBUTE_ADDED = declare(
    "RT912", "a new attribute", "Items that are stored already do not have it.", "info"
)
ATTRIBUTE_RETYPED = declare(
    "RT913",
    "an attribute of another type",
    "Readers find values of two types, and comparisons and indexes of DynamoDB never match one with the other.",
)
ATTRIBUTE_CHANGED = declare(
    "RT914",
    "an attribute with another source or treatment",
    "The same message gives another value, or none where there was one.",
    "warning",
)
MAPPING_CHANGED = declare(
    "RT915",
    "another mapping of messages to items",
    "`for_each` decides how many items a message has, and `item` whether the whole message is stored.",
    "warning",
)
OTHER_TABLE = declare(
    "RT916",
    "a route that writes to another table",
    "Items of new messages are in the new table only, those of old messages in the old table.",
)
OTHER_KEY = declare(
    "RT917",
    "another key of items",
    "A message replaces the item of another message, or no longer that of an earlier one. A table with another key is "
    "another table.",
)
OTHER_WRITE = declare(
    "RT918",
    "items that are written in another way",
    "`mode` and `version` decide which of two messages for one item wins, and what is kept of a stored item.",
    "warning",
)
OTHER_EXPIRY = declare(
    "RT919",
    "items that expire at another time",
    "DynamoDB deletes items by the attribute that `ttl` of the table names, also those that are stored already.",
    "warning",
)
OTHER_RESULT = declare(
    "RT920",
    "a message with another result",
    "The message was run through both configs. Of each kind of difference the first message is shown.",
    "warning",
)
OTHER_SETTINGS = declare(
    "RT921",
    "other settings of a queue or table",
    "They do not decide which messages are written, but when, how fast, and after how many attempts.",
    "info",
)
OTHER_REDACTION = declare(
    "RT922",
    "other values that are redacted in dead letters",
    "A value that is no longer named by `redact` appears in dead letters and exports as it is.",
    "warning",
)
INDEX_REMOVED = declare(
    "RT923",
    "an index that is removed, or gets another key or projection",
    "Queries of a removed index fail. DynamoDB changes no index: one with another key or projection is a new one, with "
    "a name of its own, to which readers move before the old one is removed.",
)
INDEX_ADDED = declare(
    "RT924",
    "a new index",
    "DynamoDB builds it from the items that are stored. Each write of an item that is in it costs write units for it, "
    "too, and an item that does not fit its key is refused: also one of the version that runs until the deployment "
    "ends. If that one writes such items, deploy a mapping that leaves the attribute out first.",
    "info",
)
SIDE_BY_SIDE = declare(
    "RT930",
    "two versions that must not write side by side",
    "While a deployment shifts, or a rollback follows, both versions write. One of them undoes or hides what the other "
    "writes, or an index of one refuses items of the other: a table has the indexes of both meanwhile.",
    "warning",
)
VERSION_NOT_STORED = declare(
    "RT931",
    "a new version on a table that holds items already",
    "The condition of `version` holds for an item without it. Until an item has been written with the new version, any "
    "message replaces it, also one that is older than what is stored.",
    "warning",
)
NEWLY_LOSING = declare(
    "RT932",
    "two routes that newly lose data of one item",
    "In the old config the keys of the two routes were apart, or their modes lost nothing. `router check` reports the "
    "pair as RT626 or RT628, with the edit that ends the loss.",
    "warning",
)
OTHER_NUMBER_TEXT = declare(
    "RT947",
    "numbers that the deployed version of the router writes as other text",
    "An earlier version wrote a number as its sender did, 1.0 or 1; now equal numbers have equal text. What is stored "
    "under a key with such a text is not found by a new message.",
    "warning",
)
PERMISSIONS = declare(
    "RT940",
    "other permissions of the role",
    "The actions that the function or worker needs. A new one must be allowed before the new config runs.",
    "info",
)
STORAGE_REPLACED = declare(
    "RT941",
    "a queue or table that CloudFormation replaces or deletes",
    "The messages or items in it are lost, unless it is retained.",
)
RESOURCE_CHANGED = declare(
    "RT942",
    "a resource that CloudFormation adds, modifies or replaces",
    "`router deploy` makes a change set of it, and shows it before anything happens.",
    "info",
)
NOT_COMPARED = declare(
    "RT943",
    "deployments that could not be compared",
    "There is no template of one of the configs, so that resources and permissions are not compared.",
    "info",
)
SHORTER_RETENTION = declare(
    "RT944",
    "messages that are kept for a shorter time",
    "Messages that wait for longer than the new retention are deleted as soon as it is set.",
    "warning",
)
KEY_LOST = declare(
    "RT945",
    "another KMS key, without the previous one",
    "What is stored is encrypted with the key of before. Without permission to decrypt with it the router cannot "
    "receive such a message: set `kms_key_previous` to that key until nothing is left that needs it.",
)
PREVIOUS_KEY_REMOVED = declare(
    "RT946",
    "a previous KMS key that is no longer named",
    "The role may no longer decrypt with it. Messages that were sent before the key changed, and still wait, cannot be "
    "read any more. `router deploy` counts them, and refuses (RT791): wait until the queue is empty.",
    "warning",
)
