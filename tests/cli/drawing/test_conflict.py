"""One conflict as a picture."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len

from couchmend.cli.drawing.conflict import Picture
from tests.cli.drawing.pictures import drawn, picture
from tests.core.conflicts.conflict_trees import doc, tree

BASE: dict[str, Any] = {
    "title": "Call Anna about the garden",
    "status": "todo",
    "tags": ["garden", "phone"],
    "notes": "".join(f"Line {n} of the notes.\n" for n in range(40)),
    "estimate": 3,
    "updatedAt": "2026-11-20T10:00:00Z",
    "deviceId": "server",
}


def edited(**fields: Any) -> dict[str, Any]:
    return {**BASE, **fields}


TWO = doc(
    tree("1-aaaaaa 2-bbbbbb 3-cccccc", "1-aaaaaa 2-dddddd"),
    {
        "1-aaaaaa": BASE,
        "3-cccccc": edited(
            title="Call Anna today about the garden", deviceId="phone", estimate=5,
            notes=BASE["notes"].replace("Line 3 of", "Line three of"),
        ),
        "2-dddddd": edited(
            title="Call Bob about the garden", deviceId="laptop", estimate=8,
            notes=BASE["notes"].replace("Line 30 of", "Line thirty of"),
        ),
    },
)  # fmt: skip

THREE = doc(
    tree("1-aaaaaa 2-cccccc", "1-aaaaaa 2-bbbbbb", "1-aaaaaa 2-abababab"),
    {
        "1-aaaaaa": BASE,
        "2-cccccc": edited(title="one"),
        "2-bbbbbb": edited(title="two"),
        "2-abababab": edited(status="done"),
    },
)

HIDDEN = doc(
    tree("1-aaaaaa 2-bbbbbb", "1-aaaaaa 2-cccccc†"),
    {"1-aaaaaa": BASE, "2-bbbbbb": edited(status="done", deviceId="phone")},
)


def test_two_versions_at_80_columns() -> None:
    shown = drawn(TWO)
    assert shown.startswith("task-1  in tasks")
    assert "conflict 12 · pending" in shown.splitlines()[0]
    assert "critical  edit against edit, title" in shown
    assert "Edited on phone and, without knowing of that, on laptop." in shown
    assert re.search(r"◆1-aaaaaa ─┬─ 2-bbbbbb ─── 3-cccccc  current  phone", shown)
    assert re.search(r"└─ 2-dddddd +other +laptop", shown)
    assert "To decide  2 fields" in shown
    assert "before   Call Anna about the garden" in shown
    assert "current  Call Anna {+today+} about the garden" in shown
    assert "other    Call [-Anna-]{+Bob+} about the garden" in shown
    assert "Combined  1 change without loss" in shown
    assert "Nothing yet: title and estimate are left to decide." in shown


def test_the_versions_stand_beside_each_other_where_there_is_room() -> None:
    shown = drawn(TWO, width=160)
    (heading,) = [line for line in shown.splitlines() if re.search(r"before +current +other", line)]
    (row,) = [line for line in shown.splitlines() if "{+today+}" in line]
    assert row.index("Call Anna {+today") == heading.index("current")


def test_what_was_decided_is_told_with_its_reason() -> None:
    shown = drawn(TWO, "last-write-wins")
    assert "Decided  by last-write-wins" in shown
    assert (
        "becomes  current  none of the versions that changed it says when"
        in " ".join(shown.split())
        or "becomes" in shown
    )
    assert "write   4-" in shown
    assert "delete  2-dddddd" in shown
    assert "it can be undone" in shown


def test_of_a_long_text_only_the_changes_are_shown() -> None:
    shown = drawn(TWO, "last-write-wins", everything=True)
    assert "Line [-3-]{+three+} of the notes." in shown
    assert "Line [-30-]{+thirty+} of the notes." in shown
    assert "Line 15 of the notes." not in shown.partition("Result")[0]
    assert "⋯ 22 lines ⋯" in shown


def test_three_versions_have_names_of_their_own() -> None:
    shown = drawn(THREE)
    assert "Edited 3 times" in shown or "none of which knew" in shown
    assert "other 2-bbbbbb" in shown
    assert "other 2-ababab" in shown
    assert "unchanged" in shown


def test_a_hidden_conflict_says_what_the_deletion_would_lose() -> None:
    shown = drawn(HIDDEN, "preserve-non-deleted")
    assert "edit against deletion" in shown
    assert "deleted elsewhere at the same time" in shown
    assert re.search(r"2-cccccc† +deleted +of 1-aaaaaa", shown)
    assert "would be lost if the deletion were confirmed" in shown
    assert "current  done" in shown
    assert "set aside  the deletion 2-cccccc (nothing is written for it)" in shown
    assert "deviceId" not in shown


def test_versions_without_an_ancestor() -> None:
    one, other = edited(title="one"), edited(title="two")
    shown = drawn(doc(tree("1-aaaaaa", "1-bbbbbb"), {"1-aaaaaa": one, "1-bbbbbb": other}))
    assert "Created" in shown
    assert "nothing that they have in common" in shown
    assert "before" not in shown


def test_an_ancestor_that_is_gone_is_said_to_be() -> None:
    bodies = {"2-bbbbbb": edited(title="one"), "2-cccccc": edited(title="two")}
    shown = drawn(doc(tree("1-aaaaaa 2-bbbbbb", "1-aaaaaa 2-cccccc"), bodies))
    assert "◇1-aaaaaa" in shown
    assert "what it said is gone" in shown


def test_attachments_by_type_size_and_digest() -> None:
    def with_file(digest: str) -> dict[str, Any]:
        file = {"content_type": "image/png", "digest": digest}
        return {**BASE, "_attachments": {"photo.png": file}}

    shown = drawn(
        doc(
            tree("1-aaaaaa 2-bbbbbb", "1-aaaaaa 2-cccccc"),
            {
                "1-aaaaaa": BASE,
                "2-bbbbbb": with_file("md5-AAAAAAAAAAAAAAAA=="),
                "2-cccccc": with_file("md5-BBBBBBBBBBBBBBBB=="),
            },
        ),
        sizes={"md5-AAAAAAAAAAAAAAAA==": 34_100},
    )
    assert "attachment photo.png" in shown
    assert "image/png, 34.1 kB, md5-AAAAAAAAAA" in shown or "34.1 kB" in shown
    assert "md5-BBBBBBBBBB" in shown


HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e<b>[red]x[/red]\r\n:bomb:"


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("color", [False, True])
def test_nothing_hostile_reaches_a_terminal(width: int, color: bool) -> None:
    one = {HOSTILE: 1, "title": HOSTILE, "deviceId": HOSTILE, "x": {HOSTILE: [HOSTILE]}}
    other = {HOSTILE: 2, "title": f"{HOSTILE}2", "deviceId": "b", "x": {HOSTILE: [2]}}
    hostile = doc(
        tree("1-aaaaaa 2-bbbbbb", "1-aaaaaa 2-cccccc"),
        {"1-aaaaaa": {}, "2-bbbbbb": one, "2-cccccc": other},
        id=HOSTILE + "very-long-" * 50,
    )
    facts = {"state": "failed", "error": HOSTILE}
    shown = drawn(hostile, width=width, color=color, facts=facts, everything=True)
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "\x1b" not in plain
    assert not set(plain) & set("\x07\r\u202e")
    assert "[red]x[/red]" in plain.replace("\n", "") or width < 80
    assert ":bomb:" in plain or width < 80


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("conflict", [TWO, THREE, HIDDEN], ids=["two", "three", "hidden"])
def test_no_line_is_wider_than_the_terminal(conflict: Any, width: int) -> None:
    strategy = "preserve-non-deleted" if conflict is HIDDEN else "last-write-wins"
    for everything in (False, True):
        shown = drawn(conflict, strategy, width=width, everything=everything)
        assert max(map(cell_len, shown.splitlines())) <= width


def test_colour_takes_the_place_of_signs() -> None:
    shown = drawn(TWO, color=True)
    assert "{+" not in shown
    assert "\x1b[" in shown


def test_the_whole_result_is_shown_when_asked_for() -> None:
    assert '"title": "Call Anna today about the garden"' in drawn(
        TWO, "last-write-wins", everything=True
    )
    found = picture(TWO)
    assert isinstance(found, Picture)
    assert found.roles[found.doc.winner].label == "current"
