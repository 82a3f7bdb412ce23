"""What CouchDB 3.5.0 answered to 245 requests, asked of the embedded server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.replica.http_face.serving import Answered, Client, served

TRANSCRIPT = Path(__file__).parents[2] / "contract" / "couchdb-3.5.0.jsonl"
STEPS = 245

JAVASCRIPT = "a JavaScript validation function is stored here, and not run"
KEYS_OFFSET = "CouchDB says null; the rows are in the order of the keys, so nothing is before them"
EXCEPTIONS: dict[tuple[str, int], str] = {
    ("resolving", 18): JAVASCRIPT,
    ("resolving", 19): JAVASCRIPT,
    ("databases", 16): "CouchDB fails with 500 on a revs limit that is no number; this is 400",
    ("conflicts", 13): KEYS_OFFSET,
    ("all-docs", 8): KEYS_OFFSET,
    ("compaction", 9): "CouchDB says null for purge_seq; here it is the sequence",
}
"""Steps whose answers differ on purpose, and why.  What they are instead is tested below."""

ANY = "…"
VARIABLE_MEMBERS = frozenset(
    {
        "bookmark", "features", "git_sha", "instance_start_time", "last_seq", "purge_seq", "ref",
        "seq", "sizes", "update_seq", "uuid", "vendor", "version",
    }
)  # fmt: skip
HEX_ID = re.compile(r"[0-9a-f]{32}")
INDEX_NAME = re.compile(r"(_design/)?[0-9a-f]{40}")


def _scenarios() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in TRANSCRIPT.read_text(encoding="utf-8").splitlines():
        step = json.loads(line)
        found.setdefault(step["scenario"], []).append(step)
    return found


SCENARIOS = _scenarios()


class Replay:
    """One scenario: its database, and what earlier answers have saved."""

    def __init__(self, client: Client, scenario: str) -> None:
        self.client = client
        self.database = f"wire-{scenario}"
        self.saved: dict[str, Any] = {}

    def answer(self, request: dict[str, Any]) -> Answered:
        """Send the request of a step, filled in."""
        path = self._fill(request["path"].replace("{db}", self.database))
        raw = request.get("raw")
        headers = dict(request.get("headers", {}))
        if raw is not None:
            headers.setdefault("Content-Type", "application/json")
        body = self._fill_body(request.get("body"))
        while True:
            answered = self.client.send(
                request["method"],
                path,
                body,
                raw=None if raw is None else raw.encode(),
                headers=headers,
            )
            if not (request.get("note", "").startswith("wait until compact")):
                break
            if not answered.json["compact_running"]:
                break
            time.sleep(0.02)
        for name, dotted in request.get("save", {}).items():
            value = answered.json
            for part in dotted.split("."):
                value = value[int(part)] if isinstance(value, list) else value.get(part)
            self.saved[name] = value
        return answered

    def _fill(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: self.saved.get(found[1], found[0]), text)

    def _fill_body(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.saved.get(value[1:], value) if value.startswith("$") else value
        if isinstance(value, list):
            return [self._fill_body(item) for item in value]
        if isinstance(value, dict):
            return {key: self._fill_body(item) for key, item in value.items()}
        return value


def normal(value: Any) -> Any:
    """An answer without what must differ between two servers."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, str):
        return ANY if INDEX_NAME.fullmatch(value) else value
    if not isinstance(value, dict):
        return value
    shown = {
        key: ANY if key in VARIABLE_MEMBERS and item is not None else normal(item)
        for key, item in value.items()
    }
    if "results" in shown and all("changes" in row for row in shown["results"]):
        shown["results"] = sorted(shown["results"], key=lambda row: row["id"])
    return shown


def body_of(answered: Answered) -> Any:
    """The body as the transcript has it."""
    if not answered.body:
        return None
    try:
        return json.loads(answered.body)
    except ValueError:
        return {"text": answered.body.decode("utf-8", "replace")}


def compare(step: dict[str, Any], answered: Answered) -> None:
    """Hold that an answer is CouchDB's: status, body, and the headers that mean something."""
    request, expected = step["request"], step["response"]
    where = f"{step['scenario']} {step['step']}: {request['method']} {request['path']}"
    assert answered.status == expected["status"], (where, answered.body)
    wanted, found = normal(expected["body"]), normal(body_of(answered))
    if step["scenario"] == "bulk" and step["step"] == 1:
        wanted[2]["id"] = found[2]["id"] = _checked_id(found[2]["id"])
    if _is_cut_by_shards(step):
        wanted, found = _shape(wanted), _shape(found)
    assert found == wanted, where
    _compare_headers(where, step, answered)


def _checked_id(id: str) -> str:
    assert HEX_ID.fullmatch(id)
    return ANY


def _is_cut_by_shards(step: dict[str, Any]) -> bool:
    """Whether the rows depend on the order in which CouchDB's shards answered."""
    path = step["request"]["path"]
    return "_changes" in path and ("limit=" in path or "since=$" in path)


def _shape(told: Any) -> Any:
    """An answer of `_changes` apart from which documents came first."""
    rows = [sorted(row) for row in told["results"]]
    return {**told, "results": rows}


def _compare_headers(where: str, step: dict[str, Any], answered: Answered) -> None:
    wanted = step["response"]["headers"]
    assert answered.headers["content-type"] == wanted["content-type"], where
    assert ("etag" in answered.headers) == ("etag" in wanted), where
    if "etag" in wanted and re.fullmatch(r'"[0-9]+-.*"', wanted["etag"]):
        assert answered.headers["etag"] == wanted["etag"], where
    if wanted.get("etag", "").endswith('=="'):
        assert answered.headers["etag"] == wanted["etag"], where
    assert ("location" in answered.headers) == ("location" in wanted), where
    if "location" in wanted:
        there, here = urlsplit(wanted["location"]), urlsplit(answered.headers["location"])
        assert (here.scheme, here.path) == (there.scheme, there.path), where
        assert here.netloc.startswith("127.0.0.1:"), where


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with served(tmp_path) as (server, _):
        client = Client(server.url)
        yield client
        client.close()


compared: dict[str, int] = {}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(client: Client, scenario: str) -> None:
    replay = Replay(client, scenario)
    count = 0
    for step in SCENARIOS[scenario]:
        answered = replay.answer(step["request"])
        if (scenario, step["step"]) not in EXCEPTIONS:
            compare(step, answered)
            count += 1
    excepted = sum(1 for where, _ in EXCEPTIONS if where == scenario)
    assert count == len(SCENARIOS[scenario]) - excepted


def test_every_step_is_there() -> None:
    steps = {(step["scenario"], step["step"]) for steps in SCENARIOS.values() for step in steps}
    assert len(steps) == STEPS
    assert set(EXCEPTIONS) <= steps
