"""What a command does is in the log file, where there is one, and in nothing that it prints."""

from __future__ import annotations

import json
from pathlib import Path

from couchmend.replica.embedded import EmbeddedReplica
from tests.cli.running import couchmend_here
from tests.engine.storing import fork


def test_a_sweep_is_logged(tmp_path: Path) -> None:
    with EmbeddedReplica.open(str(tmp_path / "notes.couch")) as replica:
        fork(replica, "shopping", {"a": 1}, {"a": 2}, {"a": 3})
    text = """
[journal]
url = "sqlite:///journal.db"
[[databases]]
url = "file:notes.couch"
name = "notes"
"""
    (tmp_path / "couchmend.toml").write_text(text)
    silent = couchmend_here("sweep", cwd=tmp_path)
    assert silent.returncode == 1
    assert sorted(file.name for file in tmp_path.iterdir() if "log" in file.name) == []
    (tmp_path / "couchmend.toml").write_text(
        text + '[logs]\nfile = "conflict.log"\nlevel = "debug"\n'
    )
    run = couchmend_here("sweep", "--full", cwd=tmp_path)
    assert "timestamp" not in run.stdout + run.stderr
    lines = [json.loads(line) for line in (tmp_path / "conflict.log").read_text().splitlines()]
    assert lines
    assert {line["database"] for line in lines} == {"notes"}
    assert "sweep.finished" in {line["event"] for line in lines}
