"""From a loaded config to what is found when it is compared with what is deployed."""

from typing import TYPE_CHECKING

from router.aws.deployed import DeployedState
from router.check.live.answers import NOT_COMPARED
from router.check.live.deployed import LIVE_RULES, Deployment
from router.check.run import run_rules
from router.errors import MissingExtra
from router.ops.live_survey import survey
from router.program.load import Loaded

if TYPE_CHECKING:
    from router.aws.live import Live


class Comparison:
    """What `check` is to do beyond the config itself; afterwards `seen` is what was seen, None if nobody looked."""

    def __init__(self, function: str = "") -> None:
        self._function = function
        self.seen: DeployedState | None = None

    def __call__(self, loaded: Loaded) -> None:
        """Note in the findings of a config what is found about it in AWS.

        Nothing is asked if the config has errors: what it names may not be what is meant; that is a finding too.
        Raises UsageError (no region, no credentials), MissingExtra (no boto3).
        """
        if loaded.program is None:
            loaded.findings.add(NOT_COMPARED, "nothing is compared with AWS", suggestion="mend the errors first")
            return
        config, queues = loaded.program.config, loaded.program.engine.queues
        self.seen = survey(_connect(), loaded.program, self._function)
        run_rules(LIVE_RULES.all(), Deployment(config, queues, self.seen, self._function), loaded.findings)


def _connect() -> "Live":
    try:
        # boto3 is optional, and takes 0.2 s to import.
        from router.aws.live import connect
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise MissingExtra("router check --live", "worker") from None
    return connect()
