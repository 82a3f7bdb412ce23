"""What is logged: the fields, the levels, the forms, and the seed's jq lines."""

from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from couchmend.events import (
    AccessRecorded,
    ConfigChanged,
    ConflictDetected,
    ConflictQueued,
    Event,
    Events,
    HookFailed,
    LeaseLost,
    QueueMeasured,
    ResolutionFailed,
    ResolutionResolved,
    SweepFinished,
)
from couchmend.observe.log_lines import _LINES, LEVELS, line_of
from couchmend.observe.logs import Logs, human
from couchmend.settings import Logs as LogSettings
from tests.observe.events_of_all_kinds import EVENTS, KINDS

AT = 1_764_000_000_123_456
STAMP = "2025-11-24T16:00:00.123456Z"


def resolved(duration: int = 1_500_250, by: str = "auto") -> ResolutionResolved:
    return ResolutionResolved(
        at=AT,
        database="notes",
        document="shopping",
        conflict=7,
        resolution=3,
        type="edit_edit",
        severity="low",
        strategy="merge",
        by=by,
        elapsed=duration,
    )


def failed(type: str = "refused") -> ResolutionFailed:
    return ResolutionFailed(
        at=AT,
        database="notes",
        document="shopping",
        resolution=None,
        type=type,
        strategy="merge",
        error="Forbidden",
        hint="ask its admin",
        attempts=2,
    )


def detected(type: str) -> ConflictDetected:
    return ConflictDetected(
        at=AT, database="notes", document="a", type=type, severity="low", hidden=False, leaves=2,
        elapsed=1000,
    )  # fmt: skip


def logged(event: Event, **settings: str) -> str:
    """What is written to a stream that is no terminal."""
    stream = io.StringIO()
    with Logs(LogSettings(**{"level": "debug", **settings}), stream=stream) as logs:  # type: ignore[arg-type]
        events = Events()
        events.subscribe(logs.listen)
        events.emit(event)
    return stream.getvalue()


def test_a_line_is_one_object_with_its_fields_in_order() -> None:
    text = logged(resolved())
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    line = json.loads(text)
    assert line == {
        "timestamp": STAMP,
        "level": "info",
        "event": "resolution.resolved",
        "message": "Conflict resolved",
        "database": "notes",
        "documentId": "shopping",
        "type": "edit_edit",
        "severity": "low",
        "strategy": "merge",
        "duration": 1500.25,
        "conflict": 7,
        "resolution": 3,
        "by": "auto",
        "recovered": False,
    }
    assert [*line][:10] == [
        "timestamp", "level", "event", "message", "database", "documentId", "type", "severity",
        "strategy", "duration",
    ]  # fmt: skip


def test_whoever_decided_is_the_user() -> None:
    assert json.loads(logged(resolved(by="cli:ann")))["user"] == "cli:ann"


def test_an_error_has_a_hint() -> None:
    line = json.loads(logged(failed()))
    assert (line["level"], line["error"], line["hint"]) == ("error", "Forbidden", "ask its admin")


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (detected("edit_edit"), "debug"),
        (failed(), "error"),
        (failed("moved"), "info"),
        (failed("unavailable"), "warning"),
        (LeaseLost(at=AT, database="notes"), "warning"),
        (LeaseLost(at=AT, database="notes", released=True), "debug"),
        (ConfigChanged(at=AT, changes=(), refused="f:1: no"), "error"),
        (ConfigChanged(at=AT, changes=("a was 1, is 2",)), "info"),
        (AccessRecorded(at=AT, user="ann", action="paused", target="*", allowed=False), "warning"),
        (HookFailed(at=AT, hook="mine", error="KeyError"), "error"),
    ],
)
def test_levels(event: Event, level: str) -> None:
    assert json.loads(logged(event))["level"] == level


def test_what_is_below_the_level_is_left_out() -> None:
    for least in LEVELS:
        for event in (detected("edit_edit"), resolved(), failed("unavailable"), failed()):
            level = line_of(event).level
            is_logged = bool(logged(event, level=least))
            assert is_logged == (LEVELS.index(level) >= LEVELS.index(least))


def test_pairs_are_told_by_name() -> None:
    event = QueueMeasured(at=AT, database="notes", waiting=(("high", 2), ("low", 1)), oldest=None)
    assert json.loads(logged(event))["waiting"] == {"high": 2, "low": 1}


def test_every_kind_of_event_has_its_line() -> None:
    assert set(_LINES) == set(KINDS)


@given(EVENTS)
def test_any_event_is_one_line_of_json(event: Event) -> None:
    text = logged(event)
    line = json.loads(text)
    assert text.count("\n") == 1
    assert line["level"] in LEVELS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
    assert line["event"] == event.name
    assert line["message"]


@given(EVENTS)
def test_what_a_person_reads_moves_no_cursor(event: Event) -> None:
    text = logged(event, format="human").removesuffix("\n")
    assert text.isprintable() or text == ""


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = {}
    for form in ("auto", "json", "human"):
        terminal = Terminal()
        Logs(LogSettings(format=form), stream=terminal).listen(failed())
        shown[form] = terminal.getvalue()
    assert shown["auto"] == shown["human"]
    assert json.loads(shown["json"])["event"] == "resolution.failed"
    assert "\x1b[31merror  \x1b[0m Resolution error notes shopping type=refused" in shown["auto"]
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    Logs(LogSettings(), stream=terminal).listen(failed())
    assert terminal.getvalue().startswith("16:00:00.123 error   Resolution error notes shopping ")


def test_a_line_for_people() -> None:
    line = {
        "timestamp": STAMP, "level": "info", "event": "x", "message": "Seen",
        "documentId": "a\x1bb",
    }  # fmt: skip
    assert human(line, False) == "16:00:00.123 info    Seen a\\x1bb"


def test_a_stream_that_is_gone_is_left_alone(tmp_path: Path) -> None:
    stream = io.StringIO()
    file = tmp_path / "conflict.log"
    with Logs(LogSettings(file=file), stream=stream) as logs:
        stream.close()
        logs.listen(resolved())
        logs.listen(resolved())
    assert len(file.read_text().splitlines()) == 2


def test_what_else_is_logged_has_the_same_form() -> None:
    stream = io.StringIO()
    Logs(LogSettings(), stream=stream).log("warning", "x.y", "Said", {"requestId": "1"})
    line = json.loads(stream.getvalue())
    assert [*line] == ["timestamp", "level", "event", "message", "requestId"]


def test_nothing_is_configured_for_others() -> None:
    import structlog

    before = structlog.get_config()
    logged(resolved())
    assert structlog.get_config() == before
    assert not structlog.is_configured()


# --- the seed's analyses


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log file of ten events."""
    file = tmp_path / "conflict.log"
    with Logs(LogSettings(level="debug", file=file)) as logs:
        for type in ("edit_edit", "edit_edit", "edit_delete", "merge_candidates"):
            logs.listen(detected(type))
        for duration in (900_000, 1_000_000, 1_000_001, 2_500_000):
            logs.listen(resolved(duration))
        logs.listen(failed())
        logs.listen(
            SweepFinished(
                at=AT, database="notes", rows=9, candidates=4, detected=4, resolved=4, failed=1,
                waiting=0, elapsed=5,
            )
        )  # fmt: skip
    return file


def shell(line: str, folder: Path) -> list[str]:
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return run.stdout.splitlines()


@pytest.mark.program("jq")
def test_the_usual_analyses_with_jq(log: Path) -> None:
    types = shell("cat conflict.log | jq -r '.type' | sort | uniq -c | sort -rn", log.parent)
    assert types[0].split() == ["6", "edit_edit"]
    assert {tuple(line.split()) for line in types[1:]} == {
        ("1", "edit_delete"), ("1", "merge_candidates"), ("1", "null"), ("1", "refused"),
    }  # fmt: skip
    slow = shell("cat conflict.log | jq 'select(.duration > 1000)' | head -20", log.parent)
    assert slow[0] == "{"
    assert [line for line in slow if "duration" in line] == ['  "duration": 1000.001,']
    every = shell("jq -c 'select(.duration > 1000) | .duration' conflict.log", log.parent)
    assert every == ["1000.001", "2500"]
    line = """cat conflict.log | jq 'select(.level == "error") | .error' | sort | uniq -c"""
    errors = shell(line, log.parent)
    assert [line.split() for line in errors] == [["1", '"Forbidden"']]


# --- no content


@given(EVENTS)
def test_a_log_says_nothing_that_the_event_does_not(event: Event) -> None:
    """Every text of a line is a field of the event, or our own words."""
    line = json.loads(logged(event))
    ours = {line["timestamp"], line["level"], line["event"], line["message"]}
    of_event: set[str] = set()
    for name in event.__dataclass_fields__:
        value = getattr(event, name)
        of_event |= {value} if isinstance(value, str) else set()
        if isinstance(value, tuple):
            of_event |= {part for part in value if isinstance(part, str)}
    for key, value in line.items():
        texts = value if isinstance(value, list) else [value]
        for text in texts:
            assert not isinstance(text, str) or text in ours | of_event, key


def test_no_field_of_an_event_could_hold_a_document() -> None:
    """An event holds texts, numbers, and tuples of them; which texts, is written down here, so that
    whoever adds one thinks about what is in it."""
    texts = {
        (kind.__name__, name)
        for kind in KINDS
        for name, hint in kind.__annotations__.items()
        if "str" in hint and "ClassVar" not in hint
    }
    assert {name for _, name in texts} <= {
        "type", "severity", "suggested", "reason", "state", "strategy", "by", "error", "hint",
        "how", "database", "change", "waiting", "task", "changes", "refused", "status", "before",
        "user", "action", "target", "hook",
    }  # fmt: skip


def test_queued_tells_why() -> None:
    event = ConflictQueued(
        at=AT, database="n", document="d", type="edit_edit", severity="high", suggested="manual",
        eligible=False, reason="its severity is high",
    )  # fmt: skip
    line = json.loads(logged(event))
    assert line["reason"] == "its severity is high"
    assert line["message"] == "Conflict waits for a decision"
