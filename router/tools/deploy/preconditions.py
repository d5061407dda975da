"""What has to hold in AWS before a stack is changed: otherwise the change set fails in the middle.

A table with a literal name is imported, a queue never is:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from router.codes import EXISTS_ALREADY, NO_CODEDEPLOY
from router.errors import UsageError
from router.runtime.aws.protocols import KeySchema, read_key_schema
from router.tools.control_plane.clients import (
    AwsCallError,
    ExistingTable,
    ServiceClient,
    Services,
    count_messages,
    find_queue,
    read_table,
)
from router.tools.control_plane.deployed import DENIED
from router.tools.control_plane.stacks import Stacks
from router.tools.deploy.changes import QUEUE, TABLE, TemplateVersion, count_sentence, kind_of
from router.tools.deploy.deployment import literal_names
from router.tools.deploy.table_definitions import resource_of

_Log = Callable[[str], None]


class NewStore(Struct, frozen=True):
    """A queue or table that a template has under a logical id and a name that the stack does not have together.

    Or a table that has another key than the stack's. `in_stack`: the stack has this name under another logical id.
    `replaces` is the name that the stack has under this logical id, or "". `key` is that of a table.
    """

    kind: str
    name: str
    in_stack: bool
    replaces: str
    key: KeySchema = ()


def new_stores(old: TemplateVersion, new: TemplateVersion) -> Iterator[NewStore]:
    """Yield the queues and tables that a stack is to get, as far as the values of a template give their names."""
    before = literal_names(old.body, old.values)
    known = {(_type(old, id_), name) for id_, name in before.items()}
    for id_, name in literal_names(new.body, new.values).items():
        type_ = _type(new, id_)
        key = _key(new, id_) if type_ == TABLE else ()
        if before.get(id_) == name and (type_ != TABLE or _key(old, id_) == key):
            continue
        replaces = before.get(id_, "")
        in_stack = replaces != name and (type_, name) in known
        yield NewStore(kind_of(type_), name, in_stack, replaces, key)


def _type(template: TemplateVersion, logical_id: str) -> str:
    return str(resource_of(template.body, logical_id)["Type"])


def _key(template: TemplateVersion, logical_id: str) -> KeySchema:
    return read_key_schema(resource_of(template.body, logical_id)["Properties"])


def require_free_names(
    stores: Iterable[NewStore],
    services: Services,
    log: _Log,
    how: str = "",
) -> None:
    """Say which existing tables will be imported; raises UsageError for what exists and cannot be.

    `how` says in which configuration a queue can be left alone.
    """
    taken: list[str] = []
    others = False
    unknown: set[str] = set()
    for store in stores:
        if store.in_stack:
            raise UsageError(
                f"{EXISTS_ALREADY.id} the {store.kind} '{store.name}' is in the stack already, from another text of "
                "its name, and AWS does not create it a second time: write the name in the configuration as it was"
            )
        if store.kind in unknown:
            continue
        try:
            if store.kind == "table":
                _look_at_table(store, services, log)
            elif url := find_queue(services["sqs"], store.name):
                stack = _stack_of(store, QUEUE, url, services, log)
                others = others or bool(stack)
                has = f"; of the stack '{stack}'" if stack else ""
                taken.append(f"'{store.name}' ({_count(services['sqs'], url)}{has})")
        except AwsCallError as error:
            if error.code not in DENIED:
                raise
            unknown.add(store.kind)
            log(f"it is not known whether the new {store.kind}s exist already: {error}")
    if taken:
        where = ", in the stack that has them" if others else ""
        raise UsageError(
            f"{EXISTS_ALREADY.id} these queues exist outside of the stack: {', '.join(taken)}; AWS cannot take them "
            f"in: {how}set 'managed: false' on them, or delete them with their messages first{where}"
        )


def _stack_of(
    store: NewStore,
    type_: str,
    physical_id: str,
    services: Services,
    log: _Log,
) -> str:
    """Return the stack that has an existing queue or table, or "" if there is none, or that is not known."""
    try:
        return Stacks(services["cloudformation"]).stack_of(type_, physical_id)
    except AwsCallError as error:
        if error.code not in DENIED:
            raise
        log(
            f"it is not known whether the {store.kind} '{store.name}' belongs to another stack: {error}"
        )
        return ""


def _count(sqs: ServiceClient, url: str) -> str:
    count = count_messages(sqs, url)
    return (
        "its messages could not be counted" if count is None else count_sentence(count, "messages")
    )


def _look_at_table(store: NewStore, services: Services, log: _Log) -> None:
    found = read_table(services["dynamodb"], store.name)
    if found is None:
        return
    if store.replaces == store.name:
        raise UsageError(
            f"{EXISTS_ALREADY.id} the table '{store.name}' of the stack has the key {_shown(found.key)} (about "
            f"{found.items} items), and the config says {_shown(store.key)}: that is another table, and AWS does not "
            "create it while the name is taken; give it another name, and the stack retains the old one"
        )
    if store.replaces:
        raise UsageError(
            f"{EXISTS_ALREADY.id} the table '{store.name}' exists, and would have to replace the table "
            f"'{store.replaces}' of the stack, which AWS cannot do: check the variables in its name and the name of "
            "the stack, or give the table another name"
        )
    if stack := _stack_of(store, TABLE, store.name, services, log):
        raise UsageError(
            f"{EXISTS_ALREADY.id} the table '{store.name}' belongs to the stack '{stack}', and AWS imports nothing "
            "that a stack has: set 'managed: false' on it, or take it out of that stack, which must retain it "
            "(DeletionPolicy), and deploy again"
        )
    if found.key != store.key:
        raise UsageError(
            f"the table '{store.name}' exists with the key {_shown(found.key)}, and the config says "
            f"{_shown(store.key)}: give the table of the config another name, or the key that it has"
        )
    log(f"the table '{store.name}' exists and is imported as it is: {_properties(found)}")


def _properties(table: ExistingTable) -> str:
    ttl = f"items expire by '{table.ttl}'" if table.ttl else "no time to live"
    capacity = "provisioned capacity" if table.is_provisioned else "on-demand capacity"
    return f"about {table.items} items, {table.indexes} secondary indexes, {capacity}, {ttl}"


def _shown(key: KeySchema) -> str:
    """Return a key as the config has it."""
    return "{" + ", ".join(f"{name}: {type_}" for name, type_ in key) + "}"


def require_codedeploy(codedeploy: ServiceClient) -> None:
    """Raise UsageError if CodeDeploy does not answer; a call that is not permitted is an answer."""
    try:
        codedeploy.call("ListApplications")
    except AwsCallError as error:
        if error.code in DENIED:
            return
        raise UsageError(
            f"{NO_CODEDEPLOY.id} --canary shifts messages by CodeDeploy, which does not answer{codedeploy.place} "
            f"({error.code}); nothing was changed: deploy without --canary"
        ) from None
