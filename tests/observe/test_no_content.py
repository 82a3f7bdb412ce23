"""Nothing that a document says reaches the log or the metrics, whatever happens to it: sweeps over
real databases, with resolvers, validators and hooks that quote values in their errors."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from couchmend.configuration import load_all
from couchmend.engine.engine import Engine
from couchmend.engine.finding.targets import Target
from couchmend.engine.hooks import Hooks
from couchmend.errors import Forbidden
from couchmend.events import Event
from couchmend.observe.logs import Logs
from couchmend.observe.metrics import ConflictMetrics
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.settings import Logs as LogSettings
from tests.engine.storing import store
from tests.engine.workload import workload

SECRET = "s3cret"
NUMBER = 987_654_321

POLICIES = """
[policies.default.fields]
status = "mine:quoting"
[policies.default.auto.max_severity]
merge_candidates = "critical"
edit_edit = "critical"
edit_delete = "critical"
version_mismatch = "critical"
[policies.default.auto.strategy]
edit_delete = "preserve-non-deleted"
[journal]
url = "sqlite://"
"""
MINE = "def quoting(base, current, other, context):\n    raise ValueError(f'{current} {other}')\n"


def quoted(doc: Any) -> Any:
    """The document with every text and number in it a secret, but for what the engine is told to
    read: times."""
    if isinstance(doc, dict):
        return {
            name: value if name.startswith("_") or name == "updatedAt" else quoted(value)
            for name, value in doc.items()
        }
    if isinstance(doc, list):
        return [quoted(item) for item in doc]
    if isinstance(doc, str):
        return f"{SECRET} {doc}"
    return NUMBER + doc if isinstance(doc, int) and not isinstance(doc, bool) else doc


def refusing(doc: Any, *rest: Any) -> None:
    """A validator that quotes what it refuses."""
    if "labels" in doc["_id"] or "removed" in doc["_id"]:
        raise Forbidden(f"{doc.get('title')} {doc.get('estimate')}")


def failing(event: Any) -> str:
    raise ValueError(f"{SECRET} {NUMBER}")


def swept(folder: Path, listeners: list[Callable[[Event], None]]) -> None:
    """A sweep over every kind of conflict, twice."""
    (folder / "couchmend.toml").write_text(POLICIES)
    (folder / "mine.py").write_text(MINE)
    known = load_all(config=folder / "couchmend.toml", environment={})
    docs, _ = workload(2)
    path = str(folder / "notes.couch")
    with EmbeddedReplica.open(path) as replica:
        store(replica, *map(quoted, docs))
    with EmbeddedReplica.open(path, validators=[refusing]) as replica:
        target = Target(
            name="notes",
            database="notes",
            url="file:notes.couch",
            server="file:notes.couch",
            mode="auto",
        )
        hooks = Hooks(on_conflict=(failing,), on_resolved=(failing,))
        with Engine(
            known.settings, policies=known.policies, hooks=hooks, opened=[(target, replica)]
        ) as engine:
            for listener in listeners:
                engine.events.subscribe(listener)
            engine.sweep()
            engine.sweep(full=True)


@pytest.mark.parametrize("form", ["json", "human"])
def test_a_log_of_everything_says_nothing_of_documents(tmp_path: Path, form: str) -> None:
    stream = io.StringIO()
    metrics = ConflictMetrics()
    logs = Logs(LogSettings(level="debug", format=form), stream=stream)
    swept(tmp_path, [logs.listen, metrics.listen])
    text = stream.getvalue()
    for secret in (SECRET, "987654", "garden", "Water", "pour", "Buy"):
        assert secret not in text
        assert secret.encode() not in metrics.render()[0]
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert {"conflict.detected", "conflict.queued", "resolution.resolved",
                "resolution.failed", "sweep.finished", "hook.failed"} <= {
            line["event"] for line in lines
        }  # fmt: skip
        assert {line["type"] for line in lines if line["event"] == "resolution.failed"} == {
            "refused"
        }
