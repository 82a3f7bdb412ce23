"""Metrics for Prometheus, in a registry of their own, fed by events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from couchmend import events
from couchmend.events import Event
from couchmend.observe.labels import OTHER, Bounded, one_of
from couchmend.observe.recent import Recent
from couchmend.settings import Metrics as MetricsSettings

if TYPE_CHECKING:
    from prometheus_client import Metric

MILLISECONDS: Final = (
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
)  # fmt: skip
SWEEP_SECONDS: Final = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
ERRORS: Final = (
    "refused", "unavailable", "deleted", "timeout", "archive", "unverified", "sweep", "hook",
)  # fmt: skip
NO_ERRORS: Final = ("moved", "vetoed")
"""Why a resolution did not come about although nothing went wrong."""
SEVERITIES: Final = ("critical", "high", "medium", "low")
MOST_TASKS: Final = 100
HOUR: Final = 3_600_000_000
MINUTE: Final = 60_000_000


class ConflictMetrics:
    """What Prometheus asks for; `listen` is what `Events.subscribe` takes.

    settings: how many databases have figures of their own.
    now: microseconds since 1970.
    """

    def __init__(
        self,
        settings: MetricsSettings | None = None,
        *,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._now = now
        self._lock = threading.Lock()
        self._databases = Bounded((settings or MetricsSettings()).max_databases)
        self._tasks = Bounded(MOST_TASKS)
        self._registry = CollectorRegistry(auto_describe=True)

        def counter(name: str, help: str, *labels: str) -> Counter:
            return Counter(name, help, labels, registry=self._registry)

        def histogram(name: str, help: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, help, buckets=buckets, registry=self._registry)

        self._detection = histogram(
            "conflict_detection_ms",
            "From a change's arrival to its conflict's classification, in milliseconds.",
            MILLISECONDS,
        )
        self._resolution = histogram(
            "conflict_resolution_ms",
            "Carrying a resolution out, archive to verification, in milliseconds.",
            MILLISECONDS,
        )
        self._errors = counter(
            "conflict_errors_total", "What went wrong with resolutions and sweeps.", "type"
        )
        self._detected = counter(
            "conflicts_detected_total",
            "Conflicts found, new versions of known ones included.",
            "database", "type", "severity",
        )  # fmt: skip
        self._resolved = counter(
            "conflicts_resolved_total",
            "Conflicts resolved, automatically (auto) or by a person.",
            "database", "type", "strategy", "by",
        )  # fmt: skip
        self._undone = counter("conflict_undone_total", "Resolutions that were taken back.")
        self._sweeps = histogram(
            "couchmend_sweep_duration_seconds", "One pass over a database.", SWEEP_SECONDS
        )
        for type in ERRORS:  # a rate needs a beginning
            self._errors.labels(type)
        self._series: dict[str, set[tuple[Counter, tuple[str, ...]]]] = {}
        self._recent = Recent(HOUR, MINUTE)
        self._recent_errors = Recent(MINUTE, MINUTE // 60)
        self._queues: dict[str, dict[str, int]] = {}
        self._oldest: dict[str, int] = {}
        self._lag: dict[str, int] = {}
        self._leases: set[str] = set()
        self._released: set[str] = set()
        self._succeeded: dict[str, int] = {}

    # --- what is measured

    def listen(self, event: Event) -> None:
        """Count an event."""
        with self._lock:
            match event:
                case events.ConflictDetected():
                    self._count(self._detected, event.database, event.type, event.severity)
                    self._detection.observe(event.elapsed / 1000)
                case events.ResolutionResolved():
                    by = "auto" if event.by == "auto" else "person"
                    self._count(self._resolved, event.database, event.type, event.strategy, by)
                    self._resolution.observe(event.elapsed / 1000)
                    self._recent.add(event.at, some=by == "auto")
                case events.ResolutionFailed() if event.type not in NO_ERRORS:
                    self._error(event.type, event.at)
                case events.ResolutionUndone():
                    self._undone.inc()
                case events.SweepFinished():
                    self._sweeps.observe(event.elapsed / 1_000_000)
                    if event.error:
                        self._error("sweep", event.at)
                case events.HookFailed():
                    self._error("hook", event.at)
                case _:
                    self._note(event)

    def _note(self, event: Event) -> None:
        """What stands as it is until it changes."""
        match event:
            case events.CheckpointLagging():
                self._lag[event.database] = event.changes
            case events.LeaseTaken():
                self._released.discard(event.database)
                self._leases.add(event.database)
            case events.LeaseLost():
                self._leases.discard(event.database)
                self._released.add(event.database)
            case events.QueueMeasured():
                self._queues[event.database] = dict(event.waiting)
                if event.oldest is None:
                    self._oldest.pop(event.database, None)
                else:
                    self._oldest[event.database] = event.oldest
            case events.TaskFinished() if not event.error:
                self._succeeded[self._tasks.label(event.task)] = event.at
            case events.DatabaseSeen(change="vanished"):
                self._forget(event.database)

    def record_detection(self, duration_ms: float) -> None:
        """A conflict was found, in so many milliseconds."""
        with self._lock:
            self._detection.observe(duration_ms)

    def record_resolution(self, duration_ms: float, was_auto: bool) -> None:
        """A conflict was resolved, in so many milliseconds."""
        with self._lock:
            self._resolution.observe(duration_ms)
            self._recent.add(self._now(), some=was_auto)

    def record_error(self, error_type: str) -> None:
        """Something went wrong."""
        with self._lock:
            self._error(error_type, self._now())

    def _error(self, type: str, at: int) -> None:
        self._errors.labels(one_of(type, ERRORS)).inc()
        self._recent_errors.add(at)

    def _count(self, counter: Any, database: str, *labels: str) -> None:
        named = (self._databases.label(database), *labels)
        counter.labels(*named).inc()
        self._series.setdefault(named[0], set()).add((counter, named))

    def _forget(self, database: str) -> None:
        """A database that is gone has no figures, and makes room for others."""
        for figures in (self._queues, self._oldest, self._lag):
            figures.pop(database, None)
        self._leases.discard(database)
        self._released.discard(database)
        if self._databases.let_go(database):
            for counter, labels in self._series.pop(database, set()):
                counter.remove(*labels)

    # --- what is told

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All figures, and their content type.

        accept: as a client's header says it; with `application/openmetrics-text` in OpenMetrics,
            else in Prometheus' text format.
        """
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(accept)
        return encode(_Collected(list(self._collect()))), content_type

    def _collect(self) -> Iterator[Metric]:
        with self._lock:
            yield from (_without_created(family) for family in self._registry.collect())
            yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        def gauge(name: str, help: str, *labels: str) -> Any:
            return GaugeMetricFamily(name, help, labels=labels)

        queue = gauge(
            "conflict_queue_size", "Conflicts that wait, by severity.", "database", "severity"
        )
        for (database, severity), size in self._queue_sizes().items():
            queue.add_metric([database, severity], size)
        yield queue
        now = self._now()
        oldest = gauge("conflict_oldest_pending_seconds", "How long the oldest of them waits.")
        oldest.add_metric([], max(0, now - min(self._oldest.values(), default=now)) / 1e6)
        yield oldest
        rate = gauge(
            "conflict_auto_resolve_rate",
            "The share of the last hour's resolutions that was automatic; NaN without any.",
        )
        rate.add_metric([], self._auto_resolve_rate())
        yield rate
        lag = gauge(
            "couchmend_sweep_lag_changes", "Changes that no sweep has seen yet.", "database"
        )
        self._add(lag, self._lag)
        yield lag
        held = gauge("couchmend_lease_held", "Whether this process works on it.", "database")
        leases = dict.fromkeys(self._released, 0) | dict.fromkeys(self._leases, 1)
        self._add(held, leases)
        yield held
        succeeded = gauge(
            "couchmend_task_last_success_timestamp_seconds", "When a task last succeeded.", "task"
        )
        for task, at in self._succeeded.items():
            succeeded.add_metric([task], at / 1e6)
        yield succeeded

    def _add(self, family: Any, figures: dict[str, int]) -> None:
        """Figures by database; those without a name of their own are added up."""
        sums: dict[str, int] = {}
        for database, figure in figures.items():
            label = self._databases.label(database)
            sums[label] = sums.get(label, 0) + figure
        for label, total in sums.items():
            family.add_metric([label], total)

    def _queue_sizes(self) -> dict[tuple[str, str], int]:
        sizes: dict[tuple[str, str], int] = {}
        for database, waiting in self._queues.items():
            label = self._databases.label(database)
            for severity in SEVERITIES:
                place = label, severity
                sizes[place] = sizes.get(place, 0) + waiting.get(severity, 0)
        return sizes

    def _auto_resolve_rate(self) -> float:
        every, automatic = self._recent.counts(self._now())
        return automatic / every if every else float("nan")

    def get_stats(self) -> dict[str, float | None]:
        """Percentiles of how long finding and resolving took, in milliseconds, as far as the
        buckets tell, and errors per second in the last minute.  None where nothing was measured."""
        with self._lock:
            found = {
                f"p{percent}_{name}": _percentile(histogram, percent / 100)
                for name, histogram in (
                    ("detection", self._detection),
                    ("resolution", self._resolution),
                )
                for percent in (50, 95, 99)
            }
            errors, _ = self._recent_errors.counts(self._now())
            rate = self._auto_resolve_rate()
            return found | {
                "error_rate": errors / 60,
                "auto_resolve_rate": None if rate != rate else rate,
            }


class _Collected:
    """Families as a registry has them."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _without_created(family: Metric) -> Metric:
    """When a series began is of no use to anybody here, and is as many series again."""
    family.samples = [one for one in family.samples if not one.name.endswith("_created")]
    return family


def _percentile(histogram: Any, share: float) -> float | None:
    """As `histogram_quantile` computes it: evenly spread within a bucket."""
    counts: list[tuple[float, float]] = [
        (float(sample.labels["le"]), sample.value)
        for family in histogram.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket")
    ]
    total = counts[-1][1]
    if not total:
        return None
    wanted = share * total
    below, before = 0.0, 0.0
    for bound, upto in counts:
        if upto >= wanted:
            if bound == float("inf"):
                return below
            return below + (bound - below) * (wanted - before) / (upto - before)
        below, before = bound, upto
    return below


__all__ = ["ERRORS", "MILLISECONDS", "OTHER", "ConflictMetrics"]
