"""PouchDB in Node.js as a client of `couchmend replica serve`."""

import json
import subprocess
from pathlib import Path

import pytest

from couchmend.replica.embedded import Folder
from tests.e2e.conftest import Serve

HERE = Path(__file__).parent

pytestmark = pytest.mark.node


def pouchdb(url: str, count: int) -> dict[str, object]:
    done = subprocess.run(
        ["node", str(HERE / "pouchdb.js"), url, str(count)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_pouchdb_syncs_makes_conflicts_and_queries(serve: Serve, folder: Path) -> None:
    count = 500
    seen = pouchdb(serve().url, count)
    assert seen["documents"] == count
    assert seen["attachment"] == 60000
    assert seen["conflicts"] == 1
    assert seen["live"] is True
    assert seen["found"] == [count - 3, count - 2, count - 1]
    assert seen["view"] == 501
    databases = Folder(folder)
    with databases.open("notes") as notes:
        assert notes.check() == []
        # `picture`, `live`, the design documents of the index and of the view
        assert notes.info().documents == count + 4
        conflict, deletion = (row.id for row in notes.conflicted())
        assert (conflict, deletion) == ("n000000", "n000001")
        leaves = [leaf.doc for leaf in notes.open_revs("n000000")]  # type: ignore[union-attr]
        assert {doc["text"] for doc in leaves} == {"from the phone", "from the laptop"}
        assert notes.get("n000001", deleted_conflicts=True)["text"] == "edited while deleted"
    databases.close()
