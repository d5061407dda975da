"""The worker process: runs a receiver pool until SIGTERM or SIGINT; SIGHUP reloads the config.

The main thread waits for signals, and for nothing else. A reload has a thread of its own, and all
that stopping waits for has a limit.
"""

import gc
import os
import resource
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from logging import INFO, WARNING
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from types import FrameType
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from router.errors import ConfigError, MissingExtra, RouterError, UsageError
from router.runtime.aws.calls import CONCURRENT_CALLS, NoThreadError, boottime, overlap, run_within
from router.runtime.aws.connect import connect
from router.runtime.aws.protocols import Aws, AwsFault
from router.runtime.deliver.delivery import DeliveryOptions
from router.runtime.deliver.telemetry import LINE_FIELDS, LOGGER, Env, log
from router.runtime.engine.engine import CompiledQueue
from router.runtime.program.load import GC_THRESHOLD, Program, load_program, with_bare_names
from router.runtime.run.concurrency import DEFAULT_TUNING, MAX_MESSAGES
from router.runtime.run.counters import Counters, Totals
from router.runtime.run.leases import Leases
from router.runtime.run.log_queue import LogQueue
from router.runtime.run.metric_lines import MetricLines, logs_metrics
from router.runtime.run.monitoring import WorkerStatus, serve
from router.runtime.run.polling import Count, PolledQueue
from router.runtime.run.receiver_pool import ReceiverPool
from router.runtime.run.supervisor import ControlServer
from router.runtime.run.threads import start_daemon

if TYPE_CHECKING:
    from router.runtime.run.sdk_traces import WorkerTracer

POLL_SECONDS = 0.5
FILES_PER_RECEIVER = 2 * DEFAULT_TUNING.batch_messages // MAX_MESSAGES + 1 + CONCURRENT_CALLS
"""Connections: those of receives, of the calls that acknowledge meanwhile, and of writes."""
OTHER_FILES = 200
"""Other open files: the log, plugins, clients of health and metrics."""
MIN_VISIBILITY_SECONDS = 2
"""A shorter visibility timeout of a queue leaves no time for a long poll, nor for a write."""
RESOLVE_SECONDS = 30.0
"""The most that each of the two calls may take that look up a queue."""
RESOLVING_THREADS = 16
"""So many queues are looked up at a time.

The calls for 1,000 queues take a second then at 8 ms each, and 16 connections.
"""
RELEASE_SECONDS = 2.0
"""The part of the grace period for making unfinished messages visible, at most a quarter …"""
END_SECONDS = 0.5
"""… and the part for what remains to be done then, at most an eighth."""


class WorkerOptions(Struct, frozen=True):
    """The options of a worker; `wait` and `grace` are in seconds."""

    config: Path
    queues: tuple[str, ...] = ()
    """The names of the queues that are read; empty: all."""
    receivers: int = 32
    """Of each queue, at most."""
    wait: int = 10
    grace: int = 20
    listen: str = ""
    """HOST:PORT for health and metrics, or ""."""
    bare_names: bool = False
    """Whether queues and tables are called by name alone."""
    control: int | None = None
    """The file descriptor of the control socket, if this is one of several processes."""
    counters: int | None = None
    """The file descriptor of the file for metrics, if this is one of several processes."""


class WorkerService:
    """A process that routes messages until it is stopped."""

    def __init__(
        self,
        options: WorkerOptions,
        env: Env,
        log: LogQueue,
        connect: Callable[[int], Aws] = connect,
    ) -> None:
        """`connect` makes the AWS client for a number of connections.

        Raises RouterError.
        """
        self._log = log
        self._options = options
        self._env = env
        self._wake: SimpleQueue[None] = SimpleQueue()
        """For signal handlers: putting into it is reentrant, setting an event is not."""
        self._signalled = False
        self._stopped_at: float | None = None
        self._reload_wanted = False
        self._reloading: Thread | None = None
        self._swapping = Lock()
        """Held while a reload replaces the pool, which none does after the worker is stopped."""
        self._retired: list[ReceiverPool] = []
        """The pools that reloads replaced, while their batches are finished."""
        self._control = None if options.control is None else ControlServer(options.control)
        program = self._load()
        chosen = _choose(program, options.queues)
        receivers = len(chosen) * options.receivers
        raise_file_limit(receivers * FILES_PER_RECEIVER + OTHER_FILES)
        # One call of each receiver, the concurrent writes, and some for heartbeats.
        self._aws = connect(receivers + CONCURRENT_CALLS + 4)
        self._leases = Leases(self._aws.queues)
        self._counters = Counters(options.counters)
        self._tracer = start_tracing(env, self._counters.add)
        self._metric_lines = MetricLines(self.totals) if logs_metrics(env) else None
        self._pool = self._new_pool(program)
        LINE_FIELDS["config"] = self._pool.config

    def run(self) -> int:
        """Route until stopped; returns the exit code.

        It is 0, or 1 if a batch was not finished within the grace period.
        """
        _tune_garbage_collector()
        ended = Event()
        start_daemon("heartbeat", self._leases.heartbeat, ended)
        with serve(self._options.listen, self.status, self.totals):
            # Signals have no handler yet: a plugin that hangs here is ended by one. No message is
            # received yet.
            self._pool.start_plugins()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self._on_signal)
            self._pool.start()
            _log_config("worker started", self._pool)
            if self._control:
                self._control.start(self.status, self._request_stop)
            finished = self._stop(self._wait_for_stop())
        ended.set()
        if self._metric_lines:
            self._metric_lines.log()
        log(INFO, "worker stopped", finished=finished)
        return 0 if finished else 1

    def status(self) -> WorkerStatus:
        """Return the current status."""
        # Here too: a parent reads the metrics from their file.
        self._counters.set_dropped_lines(self._log.dropped)
        pool = self._pool
        return WorkerStatus(
            alive=pool.is_alive(boottime()),
            ready=pool.is_ready(),
            log_blocked=self._log.blocked,
            config=pool.config,
            paused=pool.paused,
        )

    def totals(self) -> Totals:
        """Return the current metrics."""
        self._counters.set_dropped_lines(self._log.dropped)
        return self._counters.totals()

    def _wait_for_stop(self) -> float:
        """Reload on SIGHUP until the worker is to stop; return when that was requested.

        Wakes up regularly, since the system can deliver a signal to another thread.
        """
        while self._stopped_at is None:
            if self._reloading and not self._reloading.is_alive():
                self._reloading = None
                # Here nothing refers to the old pool any more, not even a call of this thread.
                _tune_garbage_collector()
            if self._reload_wanted and self._reloading is None:
                self._reload_wanted = False
                self._begin_reload()
            with suppress(Empty):
                self._wake.get(timeout=POLL_SECONDS)
            self._pool.unblock()
            if self._metric_lines:
                self._metric_lines.log_if_due()
        return self._stopped_at

    def _begin_reload(self) -> None:
        try:
            self._reloading = start_daemon("reload", self._reload)
        except RuntimeError as error:  # there is no further thread
            LOGGER.error("cannot reload: %s; continuing with the old config", error)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            # A signal during a reload is answered after it: the old config may have been read.
            self._reload_wanted = True
            self._wake.put(None)
        elif self._signalled:
            # The second signal stops at once: unfinished messages are received again.
            os._exit(128 + number)
        else:
            self._signalled = True
            self._request_stop()

    def _request_stop(self) -> None:
        """Begin to stop; unlike a signal, the parent's request does not count as the second one."""
        self._stopped_at = self._stopped_at or boottime()
        self._wake.put(None)

    def _stop(self, requested_at: float) -> bool:
        """Stop the pools; return whether all batches were finished within the grace period."""
        LOGGER.info("stopping: finishing the batches in progress")
        grace = self._options.grace
        end = requested_at + grace - min(END_SECONDS, grace / 8)
        batches_until = end - min(RELEASE_SECONDS, grace / 4)
        with self._swapping:
            pools = [self._pool, *self._retired]
        for pool in pools:
            pool.stop(batches_until - boottime())
        finished = [pool for pool in pools if pool.join(batches_until)]
        self._leases.release_all(end)
        for pool in finished:
            try:
                run_within(end - boottime(), pool.stop_plugins)
            except TimeoutError:
                LOGGER.error("a plugin hangs in router_stop: it is not waited for")
            except NoThreadError as error:
                LOGGER.error("cannot call router_stop of the plugins: %s", error)
        if self._tracer:
            self._tracer.stop(end - boottime())
        return len(finished) == len(pools)

    def _reload(self) -> None:
        """Replace the pool by one of the current config.

        If that fails, continue with the old one.
        """
        try:
            pool = self._new_pool(self._load())
            pool.start_plugins()
        except ConfigError as error:
            for finding in error.findings:
                LOGGER.error(str(finding))
            LOGGER.error("the config has errors: continuing with the old one")
        except RouterError as error:
            LOGGER.error("cannot reload: %s; continuing with the old config", error)
        except BaseException as error:
            # A plugin may raise anything, KeyboardInterrupt for example. Only the type is logged:
            # the text may contain a value.
            message = "cannot reload: %s was raised; continuing with the old config"
            LOGGER.error(message, type(error).__name__)
        else:
            self._swap(pool)

    def _swap(self, pool: ReceiverPool) -> None:
        """Let another pool poll instead of the current one, whose batches are finished.

        If the worker stops, the new pool is retired at once.
        """
        with self._swapping:
            retired = pool
            if self._stopped_at is None:
                try:
                    pool.start()
                    retired = self._pool
                    self._pool = pool
                    LINE_FIELDS["config"] = pool.config
                except RuntimeError as error:
                    # There is no further thread: those that have started end.
                    LOGGER.error("cannot reload: %s; continuing with the old config", error)
            self._retired.append(retired)
        grace = self._options.grace
        retired.stop(grace)
        retired.join(boottime() + grace)
        # Batches that take longer are looked at again by the next reload, and by `_stop`.
        ended = [each for each in self._retired if each.join(0.0)]
        for each in ended:
            each.stop_plugins()
            self._retired.remove(each)
        if self._pool is pool:
            _log_config("config reloaded", pool)

    def _load(self) -> Program:
        program = load_program(self._options.config, self._env)
        if self._options.bare_names:
            return with_bare_names(program)
        return program

    def _new_pool(self, program: Program) -> ReceiverPool:
        options = self._options
        # A long poll cannot be cancelled, and must end within the grace period.
        wait = min(options.wait, max(0, options.grace // 2))
        chosen = _choose(program, options.queues)
        routes = [route.route for queue in chosen for route in queue.routes]
        by_route = routes if program.counts_routes else []
        tables = program.config.tables.items()
        # Those whose write units are counted.
        measured = [name for name, table in tables if program.counts_routes or table.write_units]
        self._counters.declare([queue.name for queue in chosen], by_route, measured)
        polled = overlap(
            lambda queue: _resolve(self._aws, queue, wait),
            chosen,
            RESOLVING_THREADS,
        )
        return ReceiverPool(
            program,
            polled,
            self._aws,
            self._leases,
            DeliveryOptions(
                self._counters.record,
                trace=self._tracer.trace if self._tracer else None,
            ),
            self._counters.add,
            structs.replace(DEFAULT_TUNING, receivers=options.receivers),
        )


def raise_file_limit(needed: int) -> None:
    """Raise this process's soft limit of open files to what is needed.

    The hard limit may permit less.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    if limit < needed:
        cause = "all receivers together may need more open files than the system allows"
        log(WARNING, f"{cause}: raise 'ulimit -Hn'", limit=limit, needed=needed)


def _log_config(message: str, pool: ReceiverPool) -> None:
    log(INFO, message, queues=pool.queues, config=pool.config)


def _tune_garbage_collector() -> None:
    """Exclude the objects of the program from collections, and collect the others less often."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def start_tracing(env: Env, count: Count) -> "WorkerTracer | None":
    """Return what traces batches, if a variable of OpenTelemetry names an endpoint.

    A worker without traces is better than none: what is missing or wrong is logged.
    """
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not any(env.get(name) for name in endpoints):
        return None
    from router.runtime.deliver.traces import is_on

    if not is_on(env):
        return None
    try:
        # The SDK takes a second to import.
        from router.runtime.run.sdk_traces import WorkerTracer

        return WorkerTracer(env, count)
    except ImportError:
        LOGGER.warning("no traces: %s", MissingExtra("OpenTelemetry", "otel"))
    except ValueError as error:
        LOGGER.warning("no traces: %s", error)
    return None


def _choose(program: Program, names: Sequence[str]) -> list[CompiledQueue]:
    queues = program.engine.queues
    for name in names:
        if name not in queues:
            known = ", ".join(queues)
            raise UsageError(f"no route reads the queue '{name}'; the config has {known}")
    return [queues[name] for name in names or queues]


def _resolve(aws: Aws, queue: CompiledQueue, wait: int) -> PolledQueue:
    """Look up a queue's URL, visibility timeout and redrive policy; raises UsageError."""
    url = aws.queues.url(queue.reference, RESOLVE_SECONDS)
    if isinstance(url, AwsFault):
        raise UsageError(f"queue '{queue.reference}' cannot be polled: {url.cause}")
    found = aws.queues.attributes(url, RESOLVE_SECONDS)
    if isinstance(found, AwsFault):
        raise UsageError(f"queue '{queue.reference}' cannot be polled: {found.cause}")
    outage = structs.replace(queue.outage, max_receive_count=found.max_receive_count)
    visibility = max(found.visibility, MIN_VISIBILITY_SECONDS)
    # Dead letters name the queue by its URL, which is unique.
    resolved = structs.replace(queue, outage=outage, reference=url)
    return PolledQueue(resolved, url, visibility, wait)
