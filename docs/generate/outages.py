"""Simulates an outage of an hour of one of two tables, and what the function may do with the messages that meet it.

`python -m docs.generate.outages` prints the table. SQS, the event source mapping and the function are models in steps
of ten seconds that take no wall time: messages that are alike are counted together. The waits of messages are those of
the router.

What SQS and Lambda do: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from docs.generate.nights import RECEIVES, STEP
from router.runtime.deliver.postponing import IN_FLIGHT_MOST, LONGEST_DELAY, SHORTEST_DELAY
from router.runtime.engine.backoff import JITTER, OutageBackoff
from router.tools.deploy.template import alarms

BEGINS, ENDS = 600, 600 + 3600
"""Seconds: the outage."""
ALARMING, IN_FLIGHT_QUOTA = alarms.IN_FLIGHT_MOST, alarms.IN_FLIGHT_QUOTA
RATES = (100, 1_000)
"""Messages a second, half of them for the table that fails."""
MOST_SECONDS = 24 * 3600
DELAYED_SECONDS = 60
"""A message is delayed if it is written later after it was sent."""
BATCH = 100
"""Messages of an invocation: the default of the template."""
GIGABYTES = 0.5
"""Memory of the function: the default of the template."""
WRITING_SECONDS, FAILING_SECONDS = 0.2, 1.2
"""An invocation that writes all, and one with messages that fail, which waits up to a second for retries."""
FIRST_CONCURRENT, MORE_A_SECOND, MOST_CONCURRENT = 5, 5, 1_000
"""Lambda's concurrency for a queue: how it begins, what is added, and its limit."""
COUNTED_LATE = 80
"""Seconds: SQS's count of messages in flight may be a minute old, and that which the function has read a bit more."""
SWITCHING_SECONDS = 60
"""How long an event source mapping goes on after it is disabled, and takes to begin after it is enabled."""
PROBE_SECONDS = 300
"""A schedule looks at a disabled mapping so often."""
FLAT_WAIT = 30
PARTS = 4
"""Messages whose waits differ at random are counted in so many parts."""
A_REQUEST = 10
"""Messages of a receive, delete, send or change of visibility."""

LAMBDA_REQUESTS, LAMBDA_GB_SECONDS, SQS_REQUESTS = 0.20e-6, 0.0000133334, 0.40e-6
"""US dollars, on arm64, without free tiers: https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/sqs/pricing/"""

Step = int
Receives = int

POSTPONED: Receives = -1
"""Stands for the receives of a copy, which is postponed again whenever it fails."""


class Remedy(Struct, frozen=True):
    """What is done about messages that meet the outage."""

    name: str
    wait: Callable[[Receives], float]
    concurrency: int = MOST_CONCURRENT
    pauses: bool = False
    postpones: bool = False


def _growing(receives: Receives) -> float:
    return OutageBackoff(max_receive_count=RECEIVES).wait(receives, lambda: 0.0)


def _flat(receives: Receives) -> float:
    return FLAT_WAIT


REMEDIES = (
    Remedy("waits that grow", _growing),
    Remedy("waits of 30 seconds", _flat),
    Remedy("`maximum_concurrency: 2`", _growing, concurrency=2),
    Remedy("the mapping is disabled, and a schedule enables it", _growing, pauses=True),
    Remedy("postponed copies", _growing, postpones=True),
)


class Arrivals(Struct):
    """Messages that became visible together: well ones, sent in this step, and by receives those that fail."""

    sent_at: int
    well: float = 0.0
    failing: defaultdict[Receives, float] = field(default_factory=lambda: defaultdict(float))


class Measures(Struct):
    """What an outage did; `concurrent_seconds` are those of invocations."""

    delayed: float = 0.0
    longest_delay: int = 0
    dead_letters: float = 0.0
    in_flight: float = 0.0
    quota_minutes: float = 0.0
    requests: float = 0.0
    invocations: float = 0.0
    seconds: float = 0.0
    over_after: int = 0

    @property
    def dollars(self) -> float:
        """What SQS and Lambda cost."""
        function = self.invocations * LAMBDA_REQUESTS + self.seconds * GIGABYTES * LAMBDA_GB_SECONDS
        return self.requests * SQS_REQUESTS + function


class Outage:
    """The model of a queue, its event source mapping and its function."""

    def __init__(self, remedy: Remedy, rate: int) -> None:
        self._remedy = remedy
        self._rate = rate
        self._visible: deque[Arrivals] = deque()
        self._hidden: defaultdict[Step, Arrivals] = defaultdict(lambda: Arrivals(0))
        self._in_flight = 0.0
        self._delayed: defaultdict[Step, float] = defaultdict(float)
        self._counts: deque[float] = deque([0.0] * (COUNTED_LATE // STEP), COUNTED_LATE // STEP)
        self._concurrency = float(FIRST_CONCURRENT)
        self._is_enabled = True
        self._switches_at: Step | None = None
        self.measured = Measures()

    def run(self) -> Measures:
        """Run until all messages that were sent in the outage, or before, are done."""
        for now in range(0, MOST_SECONDS, STEP):
            self._arrive(now)
            self._switch(now)
            if self._is_enabled:
                self._receive(now)
            self._counts.append(self._in_flight)
            most = self.measured
            most.in_flight = max(most.in_flight, self._in_flight)
            if self._in_flight >= IN_FLIGHT_QUOTA - 1:
                most.quota_minutes += STEP / 60
            if now > ENDS and not self._hidden and not self._delayed and not self._visible:
                break
        self.measured.over_after = now - ENDS
        return self.measured

    def _arrive(self, now: int) -> None:
        """Let messages be sent, and those become visible whose time is over."""
        arrivals = Arrivals(now)
        if now < ENDS:
            arrivals.well = self._rate * STEP / 2
            arrivals.failing[0] = self._rate * STEP / 2
        back = self._hidden.pop(now, None)
        if back:
            for receives, count in back.failing.items():
                arrivals.failing[receives] += count
                self._in_flight -= count
        arrivals.failing[POSTPONED] += self._delayed.pop(now, 0.0)
        if arrivals.well or sum(arrivals.failing.values()):
            self._visible.append(arrivals)

    def _switch(self, now: int) -> None:
        """Disable or enable the mapping, which takes a while."""
        if not self._remedy.pauses:
            return
        if self._switches_at is not None:
            if now >= self._switches_at:
                self._is_enabled = not self._is_enabled
                self._concurrency = FIRST_CONCURRENT
                self._switches_at = None
        elif self._is_to_switch(now):
            self._switches_at = now + SWITCHING_SECONDS

    def _is_to_switch(self, now: int) -> bool:
        """Return whether the function disables the mapping, or the schedule enables it."""
        if self._is_enabled:
            return self._counts[0] > ALARMING
        return now % PROBE_SECONDS == 0 and self._counts[0] < ALARMING / 2

    def _receive(self, now: int) -> None:
        """Receive messages, oldest first, as far as Lambda's concurrency and SQS's quota go."""
        fails = BEGINS <= now < ENDS
        seconds = FAILING_SECONDS if fails else WRITING_SECONDS
        most = min(self._remedy.concurrency, MOST_CONCURRENT)
        self._concurrency = min(most, self._concurrency + MORE_A_SECOND * STEP)
        left = self._concurrency * BATCH / seconds * STEP
        while self._visible and left > 1:
            arrivals = self._visible[0]
            failing = sum(arrivals.failing.values())
            share = min(1.0, left / (arrivals.well + failing))
            if fails and failing:
                share = min(share, (IN_FLIGHT_QUOTA - self._in_flight) / failing)
            if share <= 0:
                break
            self._deliver(arrivals, share, now, fails)
            received = (arrivals.well + failing) * share
            left -= received
            self.measured.invocations += received / BATCH
            self.measured.seconds += received / BATCH * seconds
            self.measured.requests += received / A_REQUEST
            if share < 1:
                arrivals.well *= 1 - share
                for receives in arrivals.failing:
                    arrivals.failing[receives] *= 1 - share
                break
            self._visible.popleft()

    def _deliver(self, arrivals: Arrivals, share: float, now: int, fails: bool) -> None:
        """Write the messages that can be written; hide or postpone the others."""
        measured = self.measured
        well = arrivals.well * share
        measured.requests += well / A_REQUEST
        if now - arrivals.sent_at > DELAYED_SECONDS and well:
            measured.delayed += well
            measured.longest_delay = max(measured.longest_delay, now - arrivals.sent_at)
        for receives, count in arrivals.failing.items():
            received = count * share
            if receives == RECEIVES:
                measured.dead_letters += received
            elif not fails:
                measured.requests += received / A_REQUEST
            elif self._remedy.postpones and (receives == POSTPONED or self._counts[0] > IN_FLIGHT_MOST):
                # It is sent and deleted.
                measured.requests += 2 * received / A_REQUEST
                for step, part in _spread(now, SHORTEST_DELAY, LONGEST_DELAY, received):
                    self._delayed[step] += part
            else:
                measured.requests += received / A_REQUEST
                self._in_flight += received
                wait = self._remedy.wait(receives + 1)
                for step, part in _spread(now, wait, wait * (1 + JITTER), received):
                    self._hidden[step].failing[receives + 1] += part


def _spread(now: int, least: float, most: float, count: float) -> Iterator[tuple[Step, float]]:
    """Yield the steps in which messages return after a time between two bounds."""
    for part in range(PARTS):
        seconds = least + (most - least) * (part + 0.5) / PARTS
        yield now + max(1, round(seconds / STEP)) * STEP, count / PARTS


def outages_table() -> str:
    """Return the table of the remedies at each rate."""
    columns = (
        *("messages a second", "remedy", "healthy messages delayed", "at most by", "dead letters"),
        *("most in flight", "at the quota", "all done after", "SQS and Lambda"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for rate in RATES:
        for remedy in REMEDIES:
            found = Outage(remedy, rate).run()
            share = found.delayed / (rate / 2 * ENDS)
            lines.append(
                f"| {rate:,} | {remedy.name} | {found.delayed:,.0f} ({share:.0%}) | {_minutes(found.longest_delay)} "
                f"| {found.dead_letters:,.0f} | {found.in_flight:,.0f} | {found.quota_minutes:.0f} min "
                f"| {_minutes(found.over_after)} | ${found.dollars:,.2f} |"
            )
    return "\n".join(lines)


def _minutes(seconds: int) -> str:
    return f"{seconds / 60:,.0f} min"


if __name__ == "__main__":
    print(outages_table())  # noqa: T201 — the command's output
