"""The commands of `couchmend replica` on real files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import couchmend as library
from tests.cli.running import couchmend_here as couchmend


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_documents_go_in_and_come_out(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text(
        '{"_id":"a","n":12345678901234567890123,"x":1.0}\n\n{"_id":"ü","text":"ß\\n"}\n'
    )
    put = couchmend("replica", "put", "file:n.couch", "docs.jsonl", cwd=tmp_path)
    assert (put.returncode, put.stdout, put.stderr) == (0, "2 stored\n", "")

    shown = couchmend("replica", "get", "file:n.couch", "a", cwd=tmp_path).stdout
    assert shown.splitlines()[0] == "{"
    assert '  "n": 12345678901234567890123,\n  "x": 1.0' in shown
    (doc,) = lines(couchmend("replica", "get", "file:n.couch", "ü", "--json", cwd=tmp_path).stdout)
    assert (doc["_id"], doc["text"]) == ("ü", "ß\n")


def test_one_document_may_be_laid_out_over_lines(tmp_path: Path) -> None:
    text = json.dumps({"_id": "a", "list": [1, 2]}, indent=2)
    put = couchmend("replica", "put", "file:n.couch", "--json", stdin=text, cwd=tmp_path)
    (row,) = lines(put.stdout)
    assert row["ok"] is True
    assert row["rev"].startswith("1-")


def test_nothing_to_put(tmp_path: Path) -> None:
    put = couchmend("replica", "put", "file:n.couch", stdin="\n\n", cwd=tmp_path)
    assert (put.returncode, put.stdout) == (0, "0 stored\n")


def test_every_refused_document_is_reported_and_the_rest_is_stored(tmp_path: Path) -> None:
    docs = (
        '{"_id":"a"}\n'
        '{"_id":"a"}\n'
        '{"_id":"_wrong"}\n'
        '{"_id":"b","_unknown":1}\n'
        '{"_id":"c"}\n'
        '{"_id":"c","x":1}\n'
    )
    put = couchmend("replica", "put", "file:n.couch", stdin=docs, cwd=tmp_path)
    assert put.returncode == 1
    assert put.stdout == "2 stored, 4 refused\n"
    told = put.stderr.splitlines()
    assert told[0] == "couchmend: line 2: a: conflict: Document update conflict."
    assert told[1].startswith("couchmend: line 3: _wrong: illegal_docid: ")
    assert told[2].startswith("couchmend: line 4: b: doc_validation: ")
    assert told[3].startswith("couchmend: line 6: c: conflict: ")

    again = couchmend("replica", "put", "file:n.couch", "--json", stdin=docs, cwd=tmp_path)
    assert again.returncode == 1
    rows = lines(again.stdout)
    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {row["error"] for row in rows} == {"conflict", "illegal_docid", "doc_validation"}


@pytest.mark.parametrize("wrong", ["not json", "[1, 2]", '{"_id": "x"', '{"a": NaN}'])
def test_a_line_that_is_no_document_is_named_and_those_before_it_are_stored(
    wrong: str, tmp_path: Path
) -> None:
    docs = f'{{"_id":"a"}}\n{{"_id":"b"}}\n{wrong}\n{{"_id":"c"}}\n'
    put = couchmend("replica", "put", "file:n.couch", stdin=docs, cwd=tmp_path)
    assert put.returncode == 2
    assert put.stderr.startswith("couchmend: line 3: not a JSON ")
    stored = lines(couchmend("replica", "changes", "file:n.couch", cwd=tmp_path).stdout)
    assert [row["id"] for row in stored] == ["a", "b"]


def conflicted(folder: Path) -> None:
    """A document with a live leaf, a conflict and a tombstone, made as replication does."""
    leaves: Sequence[tuple[list[str], bool]] = (
        (["3-cc", "2-bb", "1-aa"], False),
        (["2-dd", "1-aa"], False),
        (["2-ee", "1-aa"], True),
    )
    docs = "".join(
        json.dumps(
            {
                "_id": "doc",
                "_rev": chain[0],
                "_revisions": {
                    "start": int(chain[0][0]),
                    "ids": [rev.partition("-")[2] for rev in chain],
                },
                "_deleted": deleted,
                "leaf": chain[0],
            }
        )
        + "\n"
        for chain, deleted in leaves
    )
    put = couchmend("replica", "put", "file:n.couch", "--no-new-edits", stdin=docs, cwd=folder)
    assert (put.returncode, put.stdout, put.stderr) == (0, "3 stored\n", "")


def test_a_conflict_is_seen(tmp_path: Path) -> None:
    conflicted(tmp_path)

    def get(*options: str) -> str:
        return couchmend("replica", "get", "file:n.couch", "doc", *options, cwd=tmp_path).stdout

    (winner,) = lines(get("--conflicts", "--revs", "--json"))
    assert winner["_rev"] == "3-cc"
    assert winner["_conflicts"] == ["2-dd"]
    assert winner["_deleted_conflicts"] == ["2-ee"]
    assert winner["_revisions"] == {"start": 3, "ids": ["cc", "bb", "aa"]}
    assert [doc["leaf"] for doc in lines(get("--all-leaves", "--json"))] == ["3-cc", "2-dd", "2-ee"]
    assert lines(get("--rev", "2-dd", "--json"))[0]["leaf"] == "2-dd"
    assert get("--tree") == (
        "1-aa ─┬─ 2-bb ──── 3-cc  winner\n"
        "      ├─ 2-dd            conflict\n"
        "      └─ 2-ee†           deleted\n"
    )
    (tree,) = lines(get("--tree", "--json"))
    assert tree["winner"] == "3-cc"
    assert tree["leaves"][2] == {"rev": "2-ee", "deleted": True, "revisions": ["2-ee", "1-aa"]}


def test_changes_as_lines(tmp_path: Path) -> None:
    conflicted(tmp_path)
    more = "".join(f'{{"_id":"more-{n}"}}\n' for n in range(2500))
    couchmend("replica", "put", "file:n.couch", stdin=more, cwd=tmp_path)

    def changes(*options: str) -> list[Any]:
        done = couchmend("replica", "changes", "file:n.couch", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return lines(done.stdout)

    everything = changes()
    assert len(everything) == 2501
    assert len({row["id"] for row in everything}) == 2501
    (first,) = changes("--limit", "1", "--style", "all_docs", "--include-docs")
    assert [change["rev"] for change in first["changes"]] == ["3-cc", "2-dd", "2-ee"]
    assert first["doc"]["leaf"] == "3-cc"
    rest = changes("--since", everything[1000]["seq"])
    assert rest == everything[1001:]
    assert changes("--since", everything[10]["seq"], "--limit", "1500") == everything[11:1511]
    assert changes("--since", "now") == []
    assert changes("--follow", "--limit", "2501") == everything


def test_info_compact_and_check(tmp_path: Path) -> None:
    conflicted(tmp_path)
    (info,) = lines(couchmend("replica", "info", "file:n.couch", "--json", cwd=tmp_path).stdout)
    assert (info["db_name"], info["doc_count"], info["doc_del_count"]) == ("n", 1, 0)
    assert set(info["sizes"]) == {"file", "active", "external"}
    shown = couchmend("replica", "info", "file:n.couch", cwd=tmp_path).stdout
    assert "documents" in shown
    assert "file:n.couch" in shown

    (row,) = lines(couchmend("replica", "compact", "file:n.couch", "--json", cwd=tmp_path).stdout)
    assert row["before"] >= row["after"] > 0
    assert "after" in couchmend("replica", "compact", "file:n.couch", cwd=tmp_path).stdout

    sound = couchmend("replica", "check", "file:n.couch", cwd=tmp_path)
    assert (sound.returncode, sound.stdout) == (0, "n: sound\n")


def test_a_folder_is_looked_at_database_by_database(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put = couchmend("replica", "put", f"file:{name}.couch", stdin="{}", cwd=tmp_path)
        assert put.returncode == 0
    infos = lines(couchmend("replica", "info", "dir:.", "--json", cwd=tmp_path).stdout)
    assert [info["db_name"] for info in infos] == ["a", "b"]
    table = couchmend("replica", "info", "dir:.", cwd=tmp_path).stdout
    assert [line.split()[:2] for line in table.splitlines() if line.split()[-1:] == ["kB"]] == [
        ["a", "1"],
        ["b", "1"],
    ]
    assert couchmend("replica", "check", "dir:.", cwd=tmp_path).stdout == "a: sound\nb: sound\n"


def test_damage_needs_attention(tmp_path: Path) -> None:
    docs = "".join(f'{{"_id":"{n}","text":"{"x" * 200}"}}\n' for n in range(200))
    couchmend("replica", "put", "file:n.couch", stdin=docs, cwd=tmp_path)
    connection = sqlite3.connect(tmp_path / "n.couch")
    try:
        with connection:
            connection.execute("DELETE FROM documents WHERE id = '7'")
    finally:
        connection.close()
    check = couchmend("replica", "check", "file:n.couch", cwd=tmp_path)
    assert check.returncode == 1
    assert check.stdout.startswith("n: ")
    (told,) = lines(couchmend("replica", "check", "file:n.couch", "--json", cwd=tmp_path).stdout)
    assert told["problems"]


def test_validation_functions_that_are_not_enforced_are_named(tmp_path: Path) -> None:
    design = '{"_id":"_design/rules","validate_doc_update":"function () {}"}'
    couchmend("replica", "put", "file:n.couch", stdin=design, cwd=tmp_path)
    info = couchmend("replica", "info", "file:n.couch", cwd=tmp_path)
    assert info.returncode == 0
    assert "_design/rules is stored but not enforced" in info.stderr


def test_attachments_come_along_when_asked_for(tmp_path: Path) -> None:
    with library.open_replica(f"file:{tmp_path / 'n.couch'}") as replica:
        replica.put_attachment("a", "note.txt", b"hello", "text/plain")
    shown = couchmend(
        "replica", "get", "file:n.couch", "a", "--attachments", "--json", cwd=tmp_path
    )
    (doc,) = lines(shown.stdout)
    assert doc["_attachments"]["note.txt"]["data"] == "aGVsbG8="
