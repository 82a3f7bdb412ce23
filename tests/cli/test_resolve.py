"""`couchmend conflicts resolve`: one, some, all of a kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.queueing import Site, site


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


def test_as_suggested(here: Site) -> None:
    number = here.number("open")
    told = here.told("conflicts", "resolve", number)
    assert "Decided  by last-write-wins" in told
    assert "take it back: couchmend undo 1" in told
    found = here.doc("open")
    assert (found["title"], found["estimate"]) == ("Call Bob", 5)
    assert "_conflicts" not in found


def test_by_hand(here: Site) -> None:
    number = here.number("open")
    take = f"title={'current'}"
    here.told(
        "conflicts", "resolve", number, "--take", take, "--set", "estimate=13", "--remove", "tags",
        "--yes",
    )  # fmt: skip
    found = here.doc("open")
    assert found["estimate"] == 13
    assert found["title"] in ("Call Bob", "Call Anna today")
    assert "tags" not in found
    assert "_conflicts" not in found


def test_a_whole_body_from_standard_input(here: Site) -> None:
    body = json.dumps({"title": "by hand", "n": 12345678901234567890123})
    number = here.number("open")
    here.told("conflicts", "resolve", number, "--body", "-", "--yes", stdin=body)
    found = here.doc("open")
    assert {key: value for key, value in found.items() if key[0] != "_"} == json.loads(body)


@pytest.mark.parametrize("option", ["--preview", "--dry-run"])
def test_a_preview_writes_nothing(here: Site, option: str) -> None:
    before = here.doc("open")
    number = here.number("open")
    told = here.told("conflicts", "resolve", number, "--set", 'title="x"', option)
    assert "x" in told
    (as_json,) = here.lines("conflicts", "resolve", number, "--set", 'title="x"', option)
    assert as_json["ready"] is True
    assert as_json["plan"]["write"]["fields"]["title"] == "x"
    here.lines("conflicts", "resolve", number, "--set", "estimate=1", option, code=1)
    assert here.doc("open") == before


def test_what_is_left_to_decide_is_named(here: Site) -> None:
    done = here.run("conflicts", "resolve", here.number("open"), "--set", "estimate=1")
    assert done.returncode == 2
    assert "title is left to decide" in done.stderr
    assert "--take 'title=other'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "name them by number"),
        (["--type", "edit_edit"], 2, "add --all"),
        (["1", "--all"], 2, "exclude each other"),
        (["1", "--type", "edit_edit"], 2, "filters belong to --all"),
        (["1", "2", "--set", "a=1"], 2, "for one conflict"),
        (["1", "--strategy", "last-write-win"], 2, "did you mean last-write-wins?"),
        (["OPEN", "--take", "titel=other"], 2, "did you mean title?"),
        (["OPEN", "--take", "title=9-zz"], 2, "there is no version"),
        (["HIDDEN", "--strategy", "merge"], 2, "--strategy delete confirms"),
        (["OPEN", "--digest", "0123456789abcdef"], 4, "not any more what was looked at"),
        (["99"], 2, "there is no conflict 99"),
        (["--all", "--severity", "lo"], 2, "did you mean low?"),
        (["--all"], 2, "--yes"),
    ],
)
def test_what_goes_wrong(here: Site, arguments: list[str], code: int, said: str) -> None:
    numbers = {"OPEN": here.number("open"), "HIDDEN": here.number("hidden")}
    done = here.run("conflicts", "resolve", *(numbers.get(one, one) for one in arguments))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert here.lines("history") == []


def test_an_outdated_view_is_refused(here: Site) -> None:
    number = here.number("open")
    (seen,) = here.lines("conflicts", "show", number)
    with here.notes() as notes:
        notes.put({**notes.get("open"), "status": "done"})
    done = here.run("conflicts", "resolve", number, "--digest", seen["digest"], "--yes")
    assert done.returncode == 4
    assert f"couchmend conflicts show {number}" in done.stderr
    assert here.doc("open")["_conflicts"]
    (now,) = here.lines("conflicts", "show", number)
    assert now["digest"] != seen["digest"]
    here.told("conflicts", "resolve", number, "--digest", now["digest"][:12], "--yes")


def test_keep_other_of_several(tmp_path: Path) -> None:
    here = site(tmp_path)
    number = here.number("open")
    (seen,) = here.lines("conflicts", "show", number)
    here.told(
        "conflicts", "resolve", number, "-s", "keep-other", "--revision", seen["others"][0],
        "--yes",
    )  # fmt: skip
    assert here.doc("open")["title"] == seen["bodies"][seen["others"][0]]["title"]


def test_the_deletion_is_confirmed(here: Site) -> None:
    here.told("conflicts", "resolve", here.number("hidden"), "-s", "delete", "--yes")
    with here.notes() as notes:
        assert notes.all_docs().total_rows == 2


def test_the_edit_is_kept(here: Site) -> None:
    here.told("conflicts", "resolve", here.number("hidden"), "--yes")
    assert here.doc("hidden")["status"] == "done"
    here.sweep()
    assert [one["document"] for one in here.lines("conflicts", "list")] == ["open", "merging"]


# --- many


def test_all_of_a_kind(tmp_path: Path) -> None:
    more = {f"m{n}": ({"tags": ["home", "x"]}, {"estimate": n}) for n in range(12)}
    here = site(tmp_path, more=more)
    arguments = ["conflicts", "resolve", "--all", "--type", "merge_candidates"]
    told = here.told(*arguments, "--dry-run")
    assert "13 conflicts: 13 by merge." in told
    assert here.lines("history") == []
    told = here.told(*arguments, "--yes")
    assert "13 conflicts: 13 resolved" in told
    assert "couchmend undo --since" in told
    assert [one["document"] for one in here.lines("conflicts", "list")] != []
    assert "no conflict waits that is so" in here.told(*arguments, "--yes")
    assert here.doc("m3")["estimate"] == 3
    since = told.rpartition("--since ")[2].split()[0]
    assert "13 of 13 resolutions were taken back" in here.told("undo", "--since", since, "--yes")
    assert here.doc("m3").get("tags") == ["home", "x"] or here.doc("m3")["estimate"] == 3


def test_of_many_those_that_cannot_be_decided_so_are_told(here: Site) -> None:
    numbers = [here.number(id) for id in ("open", "merging", "hidden")]
    told = here.lines("conflicts", "resolve", *numbers, "-s", "merge", "--yes", code=1)
    outcomes = {one["conflict"]: one["outcome"] for one in told}
    assert outcomes[int(numbers[1])] == "resolved"
    assert outcomes[int(numbers[0])] == outcomes[int(numbers[2])] == "not tried"
    (ready,) = here.lines("conflicts", "resolve", "--all", "--dry-run")
    assert ready["conflicts"] == 2
    assert ready["looked_at"] == 2
