"""`couchmend conflicts`: list, show, explain, skip, snooze, exclude."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.queueing import Site, site
from tests.cli.running import couchmend_here


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One that is only looked at."""
    return site(tmp_path_factory.mktemp("swept"))


@pytest.fixture
def fresh(tmp_path: Path) -> Site:
    """One of its own."""
    return site(tmp_path)


# --- list


def test_the_list_has_the_gravest_first(swept: Site) -> None:
    shown = swept.told("conflicts", "list")
    assert shown.index("open") < shown.index("merging")
    assert "edit against deletion, hidden" in shown
    assert "3 open: 2 critical, 1 low" in shown
    assert [one["document"] for one in swept.lines("conflicts", "list")][-1] == "merging"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--type", "merge_candidates"], ["merging"]),
        (["--type", "edit-delete"], ["hidden"]),
        (["--severity", "low"], ["merging"]),
        (["--field", "title"], ["open"]),
        (["--device", "phone", "--severity", "critical"], ["open"]),
        (["--text", "HIDD"], ["hidden"]),
        (["--state", "resolved"], []),
        (["--database", "notes", "--severity", "low"], ["merging"]),
        (["--eligible"], []),
        (["--not-eligible", "--limit", "1", "--field", "title"], ["open"]),
    ],
)
def test_filters(swept: Site, filters: list[str], found: list[str]) -> None:
    assert [one["document"] for one in swept.lines("conflicts", "list", *filters)] == found


def test_pages(swept: Site) -> None:
    first = swept.run("conflicts", "list", "--limit", "2", "--json")
    assert len(first.stdout.splitlines()) == 2
    cursor = first.stderr.rpartition(" ")[2].strip()
    rest = swept.lines("conflicts", "list", "--limit", "2", "--after", cursor)
    assert [one["document"] for one in rest] == ["merging"]
    assert f"--after {cursor}" in swept.told("conflicts", "list", "--limit", "2")


def test_an_empty_list_says_so(swept: Site) -> None:
    assert "No conflict is snoozed." in swept.told("conflicts", "list", "--state", "snoozed")
    assert "None of them is as you ask." in swept.told("conflicts", "list", "--text", "zzz")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--severity", "crtical"], "did you mean critical?"),
        (["list", "--type", "edit_edt"], "did you mean edit_edit?"),
        (["list", "--state", "pendng"], "did you mean pending?"),
        (["list", "--database", "nots"], "did you mean notes?"),
        (["list", "--after", "x"], "cursor"),
        (["show", "99"], "there is no conflict 99"),
        (["show", "one"], "'one' is not a valid int"),
        (["snooze", "1"], "--wake"),
        (["snooze", "1", "--for", "soon"], "2d"),
        (["snooze", "1", "--until", "2020-01-01"], "is past"),
        (["lst"], "No such command 'lst'"),
    ],
)
def test_wrong_arguments(swept: Site, arguments: list[str], said: str) -> None:
    done = swept.run("conflicts", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_without_a_journal(tmp_path: Path) -> None:
    (tmp_path / "couchmend.toml").write_text('[journal]\nurl = "sqlite:///none.db"\n')
    done = couchmend_here("conflicts", "list", cwd=tmp_path)
    assert done.returncode == 3
    assert not (tmp_path / "none.db").exists()


# --- show, explain


def test_show_draws_the_tree_and_the_fields(swept: Site) -> None:
    shown = swept.told("conflicts", "show", swept.number("open"))
    assert "Call Anna {+today+}" in shown
    assert "current" in shown
    assert "laptop" in shown
    assert "◆1-" in shown
    assert f"couchmend conflicts explain {swept.number('open')}" in shown
    assert "Combined" in shown
    assert not any(line != line.rstrip() for line in shown.splitlines())


def test_show_tells_programs_all_of_it(swept: Site) -> None:
    (told,) = swept.lines("conflicts", "show", swept.number("open"))
    assert told["conflict"]["document"] == "open"
    assert told["conflict"]["first_seen"].endswith("Z")
    assert told["in_conflict"] is True
    assert len(told["tree"]) == 2
    assert {check["name"] for check in told["checks"]} >= {"mode", "severity", "base"}
    assert told["plan"]["strategy"] == told["suggested"] == "last-write-wins"
    assert told["digest"] == told["conflict"]["digest"]
    assert set(told["bodies"]) == {leaf["rev"] for leaf in told["tree"]}


def test_show_of_a_hidden_one(swept: Site) -> None:
    shown = swept.told("conflicts", "show", swept.number("hidden"))
    assert "would be lost if the deletion were confirmed" in shown
    assert "--strategy delete" in shown


def test_explain_says_what_would_help(swept: Site) -> None:
    shown = swept.told("conflicts", "explain", swept.number("open"))
    assert "✗  mode" in shown
    assert '→ set mode = "auto"' in shown
    assert "✓  base" in shown
    assert "By itself: last-write-wins." in shown
    (told,) = swept.lines("conflicts", "explain", swept.number("open"))
    assert told["eligible"] is False
    assert "plan" not in told


def test_what_is_over_is_said_to_be(fresh: Site) -> None:
    number = fresh.number("merging")
    with fresh.notes() as notes:
        (other,) = notes.get("merging", conflicts=True)["_conflicts"]
        notes.delete("merging", other)
    for command in ("show", "explain"):
        assert "not in conflict any more" in fresh.told("conflicts", command, number)
    (told,) = fresh.lines("conflicts", "show", number)
    assert told["in_conflict"] is False


# --- aside


def test_skip_until_the_document_changes(fresh: Site) -> None:
    number = fresh.number("open")
    assert "until the document changes" in fresh.told("conflicts", "skip", number)
    (told,) = fresh.lines("conflicts", "list", "--state", "acknowledged")
    assert told["document"] == "open"


def test_snooze_and_wake(fresh: Site) -> None:
    number = fresh.number("open")
    assert "sleeps until" in fresh.told("conflicts", "snooze", number, "--for", "2d")
    (told,) = fresh.lines("conflicts", "list", "--state", "snoozed")
    assert told["snoozed_until"] is not None
    assert "is awake" in fresh.told("conflicts", "snooze", number, "--wake")
    assert fresh.lines("conflicts", "list", "--state", "snoozed") == []


def test_exclude_and_include(fresh: Site) -> None:
    number = fresh.number("open")
    assert "waits for a person" in fresh.told("conflicts", "exclude", number)
    assert "excluded" in fresh.told("conflicts", "show", number).splitlines()[1]
    (told,) = fresh.lines("conflicts", "exclude", number, "--include")
    assert told["excluded"] is False


def test_observe_refuses_decisions(tmp_path: Path) -> None:
    observed = site(tmp_path, mode="observe")
    for command in (["skip"], ["resolve", "--yes", "--strategy", "keep-current"]):
        done = observed.run("conflicts", command[0], observed.number("open"), *command[1:])
        assert done.returncode == 4
        assert "observe" in done.stderr
        assert "suggest" in done.stderr
