"""`couchmend demo`: that what it says is so, and that one can go on as it says."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import couchmend as library
from couchmend.core.revtree import Rev
from couchmend.journal import archive, conflicts, databases, resolutions
from couchmend.journal.opening import open_journal
from couchmend.policies import load
from tests.cli.running import COMMAND, couchmend, couchmend_here, environment

pytestmark = pytest.mark.timeout(300)

TYPES = ("checksum_mismatch", "edit_delete", "edit_edit", "merge_candidates", "version_mismatch")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    done = couchmend("demo", "--once", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def test_every_type_of_conflict_is_there_and_a_hidden_one(played: tuple[Path, str]) -> None:
    _, told = played
    for type in TYPES:
        assert re.search(rf"^ +\w+ +{type} ", told, re.MULTILINE), type
    found = re.search(r"scan: (\d+) documents are in conflict", told)
    listed = re.search(r"CouchDB tells of (\d+) in _conflicts", told)
    assert found is not None
    assert listed is not None
    assert int(found[1]) == int(listed[1]) + 1
    assert "holiday is hidden even there" in told
    assert "2-" in told
    assert "†" in told  # the history that is drawn has a deletion


def test_what_it_tells_is_what_the_journal_and_the_database_have(
    played: tuple[Path, str],
) -> None:
    folder, told = played
    counted = re.search(r"(\d+) conflicts are resolved, (\d+) wait", told)
    archived = re.search(r"First (\d+) of (\d+) versions went to the archive", told)
    assert counted is not None
    assert archived is not None
    assert archived[1] == archived[2]
    journal = open_journal(f"sqlite:///{folder / 'demo/journal.db'}", create=False)
    with journal.read() as tx:
        known = databases.named(tx, "tasks")
        assert known is not None
        done = resolutions.listed(tx, "tasks")
        waiting = conflicts.listed(tx, conflicts.Wanted(database="tasks"), 50).conflicts
        named = [one.document for one in done] + [one.document for one in waiting]
        kept = archive.kept(tx, known.id, named)
    journal.close()
    assert (len(done), len(waiting)) == (int(counted[1]), int(counted[2]))
    assert {one.type for one in waiting} == set(TYPES) - {"merge_candidates"}
    for one in done:
        assert f"✓ {one.document}" in told
        assert one.by == "auto"
    for conflict in waiting:
        assert f"? {conflict.document}" in told
    with library.open_replica(f"file:{folder}/demo/server/tasks.couch", create=False) as server:
        assert server.get("report")["completedPomodoros"] == 5
        party = server.get("party", conflicts=True)
        assert (party["guests"], party["place"], party["music"]) == (
            12, "in the garden", "the neighbours' band",
        )  # fmt: skip
        assert "_conflicts" not in party
        for one in done:
            for rev in one.tombstones:
                body = kept[one.document][rev].body
                assert body is not None
                assert Rev.parse(server.get(one.document)["_rev"]) != rev
        shown = {row.id: row.rev for row in server.all_docs().rows}
    for device in ("phone", "laptop", "tablet"):
        address = f"file:{folder}/demo/devices/{device}.couch"
        with library.open_replica(address, create=False) as replica:
            assert {row.id: row.rev for row in replica.all_docs().rows} == shown
    assert "show the same version of every document; 5 conflicts are left" in told


def test_one_can_go_on_as_it_says(played: tuple[Path, str]) -> None:
    folder, told = played
    said = [line.strip().split("  ")[0] for line in told.splitlines() if line.startswith("   ")]
    exports = dict(
        one.removeprefix("export ").split("=", 1) for one in said if one.startswith("export ")
    )
    commands = [one for one in said if one.startswith("couchmend ")]
    file = exports.pop("COUCHMEND_CONFIG")
    # Where the shell does not find the command, the demo says where it is.
    found = shutil.which("couchmend") is not None
    assert exports == ({} if found else {"PATH": f'"{Path(sys.executable).parent}:$PATH"'})
    assert len(load(folder / file)) == 2
    assert len(commands) >= 6
    for command in commands:
        done = couchmend(*shlex.split(command)[1:], cwd=folder, COUCHMEND_CONFIG=file)
        assert done.returncode in (0, 1), f"{command}: {done.stderr}"
        assert done.stderr == ""
        assert done.stdout


def test_it_is_made_anew_but_never_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    done = couchmend_here("demo", "--once", "--dir", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "something else is there already" in done.stderr
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    for _ in range(2):
        again = couchmend_here("demo", "--once", "--dir", "own", cwd=tmp_path)
        assert (again.returncode, again.stderr) == (0, "")
        assert "5 conflicts are resolved, 5 wait" in again.stdout


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_server_stays_until_it_is_told(tmp_path: Path, end: signal.Signals) -> None:
    playing = subprocess.Popen(
        [*COMMAND, "demo", "--port", "0"], cwd=tmp_path, env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert playing.stdout is not None
    lines = []
    for line in playing.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    (url,) = re.findall(r"server +(http://\S+)", "".join(lines))
    assert url in lines[-1]
    with library.open_replica(url) as replica:
        assert replica.info().documents == 11
    file = tmp_path / "demo" / "couchmend.toml"
    assert f'url = "{url}"' in file.read_text()
    listed = couchmend("scan", url, "--config", str(file), cwd=tmp_path)
    assert listed.returncode == 1
    playing.send_signal(end)
    playing.stdout.close()
    assert playing.wait(timeout=20) == 0
    assert 'url = "file:' in file.read_text()
