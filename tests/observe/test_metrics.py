"""Metrics: names, figures, bounds, and that Prometheus' own programs can read them."""

from __future__ import annotations

import math
import subprocess
import threading

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from couchmend.events import (
    CheckpointLagging,
    ConflictDetected,
    DatabaseSeen,
    Event,
    Events,
    HookFailed,
    LeaseLost,
    LeaseTaken,
    QueueMeasured,
    ResolutionFailed,
    ResolutionResolved,
    ResolutionUndone,
    SweepFinished,
    TaskFinished,
)
from couchmend.observe.metrics import ERRORS, MILLISECONDS, ConflictMetrics
from couchmend.observe.recent import Recent
from couchmend.settings import Metrics as MetricsSettings
from tests.observe.events_of_all_kinds import EVENTS

NOW = 1_764_000_000_000_000
SECOND = 1_000_000


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> ConflictMetrics:
    return ConflictMetrics(MetricsSettings(max_databases=2), now=clock.now)


def detected(database: str = "notes", elapsed: int = 3000) -> ConflictDetected:
    return ConflictDetected(
        at=NOW, database=database, document="d", type="edit_edit", severity="low", hidden=False,
        leaves=2, elapsed=elapsed,
    )  # fmt: skip


def resolved(by: str = "auto", at: int = NOW, elapsed: int = 7000) -> ResolutionResolved:
    return ResolutionResolved(
        at=at, database="notes", document="d", resolution=1, type="edit_edit", severity="low",
        strategy="merge", by=by, elapsed=elapsed,
    )  # fmt: skip


def failed(type: str) -> ResolutionFailed:
    return ResolutionFailed(
        at=NOW, database="notes", document="d", resolution=1, type=type, strategy="merge", error="X"
    )


def measured(database: str, oldest: int | None, **waiting: int) -> QueueMeasured:
    return QueueMeasured(at=NOW, database=database, waiting=tuple(waiting.items()), oldest=oldest)


def swept(elapsed: int, error: str = "") -> SweepFinished:
    return SweepFinished(
        at=NOW, database="notes", rows=1, candidates=1, detected=1, resolved=0, failed=0, waiting=1,
        elapsed=elapsed, error=error,
    )  # fmt: skip


def figures(metrics: ConflictMetrics) -> dict[tuple[str, ...], float]:
    """Every sample: its name and the values of its labels in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render()[0].decode())
        for sample in family.samples
    }


def test_what_events_add_up_to(metrics: ConflictMetrics) -> None:
    events = Events()
    events.subscribe(metrics.listen)
    for event in (
        detected(), detected(elapsed=30_000), resolved(), resolved("cli:ann"), failed("refused"),
        failed("moved"), failed("vetoed"), failed("never heard of"), swept(2 * SECOND),
        swept(SECOND, "Unavailable"), HookFailed(at=NOW, hook="mine", error="KeyError"),
        ResolutionUndone(at=NOW, database="notes", document="d", resolution=1, undo=2,
                         how="restore", by="ann"),
        CheckpointLagging(at=NOW, database="notes", changes=12),
        LeaseTaken(at=NOW, database="notes"),
        TaskFinished(at=NOW, task="compact", elapsed=5),
        TaskFinished(at=NOW + SECOND, task="compact", elapsed=5, error="no"),
        measured("notes", NOW - 90 * SECOND, critical=1, low=4),
    ):  # fmt: skip
        events.emit(event)
    found = figures(metrics)
    assert found["conflict_detection_ms_count",] == 2
    assert found["conflict_detection_ms_sum",] == 33
    assert found["conflict_detection_ms_bucket", "2.0"] == 0
    assert found["conflict_detection_ms_bucket", "5.0"] == 1
    assert found["conflict_detection_ms_bucket", "50.0"] == 2
    assert found["conflict_resolution_ms_sum",] == 14
    assert found["conflicts_detected_total", "notes", "low", "edit_edit"] == 2
    assert found["conflicts_resolved_total", "auto", "notes", "merge", "edit_edit"] == 1
    assert found["conflicts_resolved_total", "person", "notes", "merge", "edit_edit"] == 1
    errors = {name[1]: value for name, value in found.items() if name[0] == "conflict_errors_total"}
    assert {type: number for type, number in errors.items() if number} == {
        "refused": 1, "other": 1, "sweep": 1, "hook": 1,
    }  # fmt: skip
    assert set(errors) == {*ERRORS, "other"}
    assert found["conflict_undone_total",] == 1
    assert found["conflict_queue_size", "notes", "critical"] == 1
    assert found["conflict_queue_size", "notes", "high"] == 0
    assert found["conflict_queue_size", "notes", "low"] == 4
    assert found["conflict_oldest_pending_seconds",] == 90
    assert found["conflict_auto_resolve_rate",] == 0.5
    assert found["couchmend_sweep_lag_changes", "notes"] == 12
    assert found["couchmend_sweep_duration_seconds_sum",] == 3
    assert found["couchmend_lease_held", "notes"] == 1
    assert found["couchmend_task_last_success_timestamp_seconds", "compact"] == NOW / 1e6


def test_a_lease_that_is_lost_is_not_held(metrics: ConflictMetrics) -> None:
    metrics.listen(LeaseTaken(at=NOW, database="notes"))
    metrics.listen(LeaseLost(at=NOW, database="notes"))
    assert figures(metrics)["couchmend_lease_held", "notes"] == 0


def test_the_oldest_of_all_databases_grows_older(metrics: ConflictMetrics, clock: Clock) -> None:
    metrics.listen(measured("notes", NOW - 10 * SECOND, low=1))
    metrics.listen(measured("tasks", NOW - 20 * SECOND, low=1))
    clock.at += 5 * SECOND
    assert figures(metrics)["conflict_oldest_pending_seconds",] == 25
    metrics.listen(measured("tasks", None))
    assert figures(metrics)["conflict_oldest_pending_seconds",] == 15
    metrics.listen(measured("notes", None))
    assert figures(metrics)["conflict_oldest_pending_seconds",] == 0


def test_the_rate_is_that_of_the_last_hour(metrics: ConflictMetrics, clock: Clock) -> None:
    assert math.isnan(figures(metrics)["conflict_auto_resolve_rate",])
    metrics.listen(resolved("ann"))
    assert figures(metrics)["conflict_auto_resolve_rate",] == 0
    for minutes in (30, 40, 50):
        metrics.listen(resolved(at=NOW + minutes * 60 * SECOND))
    clock.at = NOW + 50 * 60 * SECOND
    assert figures(metrics)["conflict_auto_resolve_rate",] == 0.75
    clock.at = NOW + 62 * 60 * SECOND
    assert figures(metrics)["conflict_auto_resolve_rate",] == 1
    clock.at = NOW + 200 * 60 * SECOND
    assert math.isnan(figures(metrics)["conflict_auto_resolve_rate",])


def test_the_first_databases_have_names_and_the_rest_none(metrics: ConflictMetrics) -> None:
    for database in ("a", "b", "c", "d"):
        metrics.listen(detected(database))
        metrics.listen(measured(database, None, low=3))
        metrics.listen(CheckpointLagging(at=NOW, database=database, changes=5))
        metrics.listen(LeaseTaken(at=NOW, database=database))
    found = figures(metrics)
    assert {name[1] for name in found if name[0] == "conflict_queue_size"} == {"a", "b", "other"}
    assert found["conflict_queue_size", "other", "low"] == 6
    assert found["conflicts_detected_total", "other", "low", "edit_edit"] == 2
    assert found["couchmend_sweep_lag_changes", "other"] == 10
    assert found["couchmend_lease_held", "other"] == 2


def test_a_database_that_vanished_makes_room(metrics: ConflictMetrics) -> None:
    for database in ("a", "b"):
        metrics.listen(detected(database))
        metrics.listen(measured(database, NOW, low=3))
    metrics.listen(DatabaseSeen(at=NOW, database="a", change="vanished"))
    assert not [name for name in figures(metrics) if "a" in name[1:]]
    metrics.listen(detected("c"))
    assert figures(metrics)["conflicts_detected_total", "c", "low", "edit_edit"] == 1


@given(st.lists(EVENTS, max_size=30))
def test_whatever_happens_it_can_be_read_and_stays_bounded(happened: list[Event]) -> None:
    metrics = ConflictMetrics(MetricsSettings(max_databases=2), now=lambda: NOW)
    for event in happened:
        metrics.listen(event)
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    families = [*text_string_to_metric_families(text.decode())]
    databases = {
        sample.labels["database"]
        for family in families
        for sample in family.samples
        if "database" in sample.labels
    }
    assert len(databases - {"other"}) <= 2
    text, content_type = metrics.render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    read = openmetrics_families(text.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in read} == {family.name for family in families}


@pytest.mark.program("prometheus")
def test_promtool_has_nothing_against_it(metrics: ConflictMetrics) -> None:
    for event in (detected(), resolved(), failed("refused"), measured("notes", NOW, low=1)):
        metrics.listen(event)
    run = subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics.render()[0], capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    # These two have the names that they were promised to have.
    assert sorted(run.stderr.decode().splitlines()) == [
        "conflict_detection_ms metric names should not contain abbreviated units",
        "conflict_resolution_ms metric names should not contain abbreviated units",
    ]


def test_two_of_them_have_nothing_in_common() -> None:
    one, other = ConflictMetrics(), ConflictMetrics()
    one.listen(detected())
    assert figures(one)["conflict_detection_ms_count",] == 1
    assert figures(other)["conflict_detection_ms_count",] == 0
    of_all = prometheus_client.generate_latest().decode()
    assert "conflict_" not in of_all


def test_statistics_from_buckets(metrics: ConflictMetrics, clock: Clock) -> None:
    assert set(metrics.get_stats().values()) == {None, 0.0}
    for duration in range(1, 101):
        metrics.record_detection(duration)
    metrics.record_resolution(40_000, was_auto=True)
    metrics.record_resolution(1, was_auto=False)
    for _ in range(6):
        metrics.record_error("refused")
    stats = metrics.get_stats()
    assert stats["p50_detection"] == pytest.approx(50)
    assert stats["p95_detection"] == pytest.approx(95)
    assert stats["p99_detection"] == pytest.approx(99)
    assert stats["p50_resolution"] == 1
    assert stats["p99_resolution"] == MILLISECONDS[-1]
    assert stats["error_rate"] == pytest.approx(0.1)
    assert stats["auto_resolve_rate"] == 0.5
    clock.at += 120 * SECOND
    assert metrics.get_stats()["error_rate"] == 0


def test_events_may_come_from_many_threads(metrics: ConflictMetrics) -> None:
    def count() -> None:
        for _ in range(500):
            metrics.listen(detected())
            metrics.listen(resolved())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        metrics.render()
    for thread in threads:
        thread.join()
    assert figures(metrics)["conflict_detection_ms_count",] == 2000
    assert figures(metrics)["conflict_auto_resolve_rate",] == 1


def test_a_clock_that_is_set_back_loses_no_count() -> None:
    recent = Recent(span=60, slice=1)
    recent.add(100, some=True)
    recent.add(50)
    assert recent.counts(100) == (2, 1)
    assert recent.counts(161) == (0, 0)
