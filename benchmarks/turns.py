"""Prints what two receivers that poll in turn would do to latency and calls, by when the second one begins.

`python benchmarks/turns.py [RATE]` simulates a queue with RATE (100) messages a second, on which each call takes 8 ms:
the next receive begins after a share of the write of the last one. With a share of 1 there is one receiver; `both` poll
at any time.
"""

import sys

from pacing import PacedQueue, percentiles

CALL_SECONDS, OWN_SECONDS = 0.008, 0.0006
"""The time of a call, and what the worker takes besides for a round."""
WAIT_SECONDS = 20.0
MESSAGES = 4000
SHARES = (None, 0.0, 0.2, 0.4, 0.5, 0.55, 0.6, 0.7, 0.8, 1.0)


def simulate(rate: float, share: float | None, count: int) -> tuple[float, float]:
    """Return the median of the writes that it takes from sent to stored, and the calls of a message.

    Without a share, each receiver polls when it has nothing to write.
    """
    queue = PacedQueue([str(number).encode() for number in range(count)], rate)
    free_at = [0.0, 0.0]
    poll_at = 0.0
    left, calls = count, 0
    while left:
        receiver = free_at.index(min(free_at))
        now = max(free_at[receiver], poll_at)
        messages, seconds = queue.receive(now, WAIT_SECONDS, CALL_SECONDS)
        write_at = now + CALL_SECONDS + seconds + OWN_SECONDS / 2
        for message in messages:
            queue.store(write_at + CALL_SECONDS, message)
        free_at[receiver] = write_at + CALL_SECONDS + OWN_SECONDS / 2
        if share is not None:
            poll_at = write_at + share * (CALL_SECONDS + OWN_SECONDS / 2)
        left -= len(messages)
        # A receive, a write and a delete.
        calls += 3
    latency = percentiles(queue.latencies(lambda content: [int(content)]))
    return latency["p50"] / CALL_SECONDS, calls / count


def main() -> None:
    """Print a table."""
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
    _, calls_of_one = simulate(rate, 1.0, MESSAGES)
    print("share  latency, writes  calls of a message  relative to one receiver")
    for share in SHARES:
        latency, calls = simulate(rate, share, MESSAGES)
        name = " both" if share is None else f"{share:5.2f}"
        print(f"{name}  {latency:15.2f}  {calls:18.2f}  {calls / calls_of_one:24.2f}")


if __name__ == "__main__":
    main()
