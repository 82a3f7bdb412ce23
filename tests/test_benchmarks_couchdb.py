"""The benchmarks of the client still run, here against couchmend's own server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import couchdb, http_libraries, node, replication, resolving, scanning, sweeping
from benchmarks.couchdb import CHANGES
from benchmarks.documents import documents
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    folder = Folder(tmp_path / "databases")
    try:
        with BackgroundServer(folder, ReplicaServer(port=0)) as server:
            yield server.url
    finally:
        folder.close()


def test_the_client_beside_bare_requests(url: str, tmp_path: Path) -> None:
    benchmarks.main(["--tiny", "--couchdb", url, "--output", str(tmp_path)])
    text = (tmp_path / "RESULTS-couchdb.md").read_text()
    results = json.loads((tmp_path / "results-couchdb.json").read_text())
    assert "- server: " in text
    assert [row["what"] for row in results["rows"]] == [
        CHANGES,
        "_bulk_get?revs=true",
        "_bulk_docs, new_edits=false",
        "_bulk_docs, new documents",
        "scan, 200 documents, 4 in conflict",
        "sweep of 200 documents, nothing new",
        *["resolve 20 conflicts"] * 4,
        "between two databases of the server",
        "between two databases of the server",
        "to a local database",
        "from a local database",
    ]
    for row in results["rows"]:
        assert row["what"] in text
        assert len(row["couchmend_seconds"]) == 1
        assert row["couchmend_seconds"][0] > 0
        if "curl" in row["beside"]:
            has_peer = shutil.which("curl") is not None
        else:
            has_peer = "pouch" not in row["beside"].lower() or node.missing() is None
        assert len(row["beside_seconds"]) == has_peer
    assert not (tmp_path / "RESULTS.md").exists()


def test_nothing_is_left_on_the_server(url: str) -> None:
    couchdb.measure(url, tiny=True)
    scanning.measure_couchdb(url, tiny=True)
    sweeping.measure_couchdb(url, tiny=True)
    resolving.measure_couchdb(url, tiny=True)
    replication.measure(url, tiny=True)
    with closing(couchdb.Bare(url)) as bare:
        assert json.loads(bare.ask("GET", "_all_dbs")) == []


@pytest.mark.program("curl")
def test_http_libraries(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(couchdb.Bare(url)) as bare:
        bare.ask("PUT", "read")
        bare.ask("POST", "read/_bulk_docs", json.dumps({"docs": list(documents(50))}).encode())
    http_libraries.main([f"{url}/read", "--rounds", "2"])
    table = capsys.readouterr().out
    assert "| curl |" in table
    assert "| urllib3 stream() |" in table
    assert "| http.client read1() |" in table
