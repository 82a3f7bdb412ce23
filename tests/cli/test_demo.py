"""`couchmend demo`: that it shows what it says, and that its hints work."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import couchmend as library
from couchmend.replica.base import Found
from tests.cli.running import couchmend


def test_the_demo_ends_in_a_conflict_and_draws_it(tmp_path: Path) -> None:
    done = couchmend("demo", cwd=tmp_path, TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "every revision is on both: yes" in done.stdout
    lines = done.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("1-") and "winner" in line)
    assert "─┬─ 2-" in lines[at]
    assert " ─── 3-" in lines[at]
    assert "phone: and coffee" in lines[at]
    assert lines[at + 1].strip().startswith("└─ 2-")
    assert "conflict  laptop: due on Thursday already" in lines[at + 1]
    assert any("†  deleted  phone: deleted" in line for line in lines)
    (items,) = [line for line in lines if line.strip().startswith("items")]
    assert "coffee" in items
    assert '["bread","milk"]' in items
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_what_it_keeps_can_be_looked_at_as_it_says(tmp_path: Path) -> None:
    done = couchmend("demo", "--keep", "my demo", cwd=tmp_path)
    assert done.returncode == 0
    hints = [line for line in done.stdout.splitlines() if line.startswith("   couchmend ")]
    assert len(hints) >= 2
    for hint in hints:
        shown = couchmend(*shlex.split(hint)[1:], cwd=tmp_path)
        assert (shown.returncode, shown.stderr) == (0, ""), hint
        assert shown.stdout

    tree = couchmend(
        "replica", "get", "file:my demo/phone.couch", "groceries", "--tree", "--json", cwd=tmp_path
    )
    told = json.loads(tree.stdout)
    assert [leaf["deleted"] for leaf in told["leaves"]] == [False, False]
    for name in ("phone", "laptop"):
        path = tmp_path / "my demo" / f"{name}.couch"
        with library.open_replica(f"file:{path}", create=False) as replica:
            groceries = replica.open_revs("groceries")
            assert len([row for row in groceries if isinstance(row, Found)]) == 2
            assert replica.get("holiday")["when"] == "August"
            assert len(replica.open_revs("holiday")) == 2
            assert replica.get("call-anna")["done"] is True
            assert replica.get("rent")["amount"] == 860
