"""Why it is not decidable what became of a message."""

from router.tools.verify.verdicts import undecided

ORDER = undecided(
    "the order of receipt is not known, and an older message of the source was stored last"
)
OTHER_MESSAGE = undecided("a message that is not in the source may have been stored instead")
FIRST = undecided("a message that is not in the source may have been the first")
DELETED_BY_OTHER = undecided("a message that is not in the source may have deleted the item")
ENDED_BY_OTHER = undecided(
    "a message that is not in the source may have set an end that has passed"
)
ENDED = undecided(
    "a message of the source set an end that has passed, and the order of receipt is not known"
)
DELETE_ORDER = undecided(
    "a delete of the source may have come later: the order of receipt is not known"
)
AGAIN = undecided("a message may have stored the item again after the delete")
SUM = undecided("a sum over what messages that are not in the source added")
BY_OTHERS = frozenset((OTHER_MESSAGE, FIRST, DELETED_BY_OTHER, ENDED_BY_OTHER, SUM))
"""The reasons that a complete source leaves no room for."""
REPEATED = undecided("the sum differs, but a redelivery adds again without 'once'")
EXPIRING_SUM = undecided("the item of the sum may have been deleted meanwhile")
VERSIONED_SUM = undecided("what an update with a version adds depends on the order of receipt")
WITHOUT_KEY = undecided(
    "its idempotency key is not stored: it was stale, or the update was never made"
)
SAME_KEY = undecided("another message of the source has its idempotency key, and other content")
REFUSED = undecided(
    "DynamoDB refuses it after the messages before it: an attribute has another type"
)
MAY_BE_REFUSED = undecided(
    "DynamoDB may have refused it: an attribute to which it adds had another type"
)
REMOVED = undecided(
    "the order of receipt is not known, and an update of the route removes the attribute"
)
LATER_FIRST = undecided("the first value is that of a message with a greater version")
SUM_REFUSED = undecided("DynamoDB may have refused an update that adds to it")
UNSURE = undecided(
    "the transaction of the message before it, whose item it would find, may have been refused"
)
ONE_MESSAGE = undecided(
    "a later write of the message would have stored it, and finds the item of this one"
)
REMNANT = undecided("the item has attributes as no message stores them together")
TYPE = undecided("the stored version is of another type")
