"""Reports owners without settings, where the config has settings of owners."""

from collections.abc import Iterator

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config.findings import closest

UNKNOWN_OWNER = declare(
    "RT243",
    "an owner that is not in `owners`",
    "Often the name is misspelt, and then its alarms go to the topic of the parameter `AlarmTopic`. An owner without "
    "an `alarm_topic` is declared as `NAME: {}`.",
    "warning",
)


@rule(UNKNOWN_OWNER)
def check_owners(subject: Subject) -> Iterator[Found]:
    """Report owners that `owners` does not have, if it has any."""
    config = subject.config
    for section in ("queues", "tables", "routes") if config.owners else ():
        for name, entry in getattr(config, section).items():
            if entry.owner and entry.owner not in config.owners:
                near = closest(entry.owner, list(config.owners))
                advice = f"did you mean '{near}'?" if near else f"add '{entry.owner}' to 'owners'"
                sentence = f"the owner '{entry.owner}' is not in 'owners'"
                yield Found(UNKNOWN_OWNER, sentence, (section, name, "owner"), advice)
