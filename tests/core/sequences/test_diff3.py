"""Three sequences cut into regions; what is no clash here, and what is."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from couchmend.core.sequences.budget import Budget, TooMuchWork
from couchmend.core.sequences.diff3 import Region, diff3, taken
from tests.core.sequences.sequence_strategies import SEQUENCES, budget, edits_apart

SWAPPED = {"current": "other", "other": "current"}


def shown(base: str, current: str, other: str) -> str:
    """Regions in short: `=` what is stable, `c:`, `o:`, `s:` (same), `!` (clash) what is not."""
    marks = {"stable": "=", "current": "c:", "other": "o:", "same": "s:"}
    parts = []
    for region in diff3(base, current, other, budget()):
        was, mine, theirs = (
            text[span.start : span.stop]
            for text, span in zip((base, current, other), region[1:], strict=True)
        )
        content = f"{was}>{mine}|{theirs}" if region.kind == "clash" else mine
        content = theirs if region.kind == "other" else content
        parts.append(marks.get(region.kind, "!") + content)
    return " ".join(parts)


@pytest.mark.parametrize(
    ("base", "current", "other", "regions"),
    [
        ("", "", "", ""),
        ("abc", "abc", "abc", "=abc"),
        ("abc", "aXc", "abc", "=a c:X =c"),
        ("abc", "abc", "aXc", "=a o:X =c"),
        ("abc", "aXc", "aXc", "=a s:X =c"),
        ("abc", "ac", "ac", "=a s: =c"),
        ("abcde", "Xbcde", "abcdX", "c:X =bcd o:X"),
        # Both inserted at one place.
        ("ab", "aXb", "aYb", "=a !>X|Y =b"),
        ("ab", "aXb", "aXYb", "=a !>X|XY =b"),
        ("ab", "abX", "abY", "=ab !>X|Y"),
        ("", "X", "Y", "!>X|Y"),
        # One removed what the other changed.
        ("abc", "ac", "aXc", "=a !b>|X =c"),
        ("abc", "", "abX", "!abc>|abX"),
        # Changes that touch: nobody had X before Y, or X where b was gone.
        ("abcd", "aXcd", "abYd", "=a !bc>Xc|bY =d"),
        ("abc", "aXbc", "aYc", "=a !b>Xb|Y =c"),
        ("abc", "aXbc", "ac", "=a !b>Xb| =c"),
        # With one element between them they do not.
        ("abcde", "aXcde", "abcYe", "=a c:X =c o:Y =e"),
        ("abc", "Xabc", "aYbc", "c:X =a o:Y =bc"),
    ],
)
def test_regions(base: str, current: str, other: str, regions: str) -> None:
    assert shown(base, current, other) == regions


@given(SEQUENCES, SEQUENCES, SEQUENCES)
def test_regions_cover_everything_in_order(
    base: list[int], current: list[int], other: list[int]
) -> None:
    found = diff3(base, current, other, budget())
    assert [at for region in found for at in region.base] == list(range(len(base)))
    assert [at for region in found for at in region.current] == list(range(len(current)))
    assert [at for region in found for at in region.other] == list(range(len(other)))
    for region in found:
        was = [base[at] for at in region.base]
        mine = [current[at] for at in region.current]
        theirs = [other[at] for at in region.other]
        assert was or mine or theirs
        kinds = {
            "stable": was == mine == theirs,
            "current": was == theirs != mine,
            "other": was == mine != theirs,
            "same": mine == theirs != was,
            "clash": mine != theirs and was not in (mine, theirs),
        }
        assert kinds[region.kind]


@given(SEQUENCES, SEQUENCES, SEQUENCES)
def test_it_does_not_matter_which_side_is_which(
    base: list[int], current: list[int], other: list[int]
) -> None:
    swapped = [
        Region(SWAPPED.get(kind, kind), was, theirs, mine)  # type: ignore[arg-type]
        for kind, was, mine, theirs in diff3(base, current, other, budget())
    ]
    assert diff3(base, other, current, budget()) == swapped


@given(SEQUENCES, SEQUENCES)
def test_with_one_side_unchanged_all_is_the_others(base: list[int], side: list[int]) -> None:
    for current, other in ((base, side), (side, base)):
        found = diff3(base, current, other, budget())
        assert "clash" not in {region.kind for region in found}
        assert [element for region in found for element in taken(region, current, other)] == side


@given(SEQUENCES, SEQUENCES)
def test_what_both_did_alike_is_no_clash(base: list[int], side: list[int]) -> None:
    found = diff3(base, side, side, budget())
    assert {region.kind for region in found} <= {"stable", "same"}


@given(edits_apart())
def test_edits_with_something_between_them_combine(
    made: tuple[list[str], list[str], list[str], list[str]],
) -> None:
    base, current, other, merged = made
    found = diff3(base, current, other, budget())
    assert "clash" not in {region.kind for region in found}
    assert [element for region in found for element in taken(region, current, other)] == merged


@given(SEQUENCES, SEQUENCES, SEQUENCES)
@example([0, 1, 2], [0, 3, 2], [0, 1, 2, 4])
def test_nothing_is_next_to_what_nobody_put_it_next_to(
    base: list[int], current: list[int], other: list[int]
) -> None:
    found = diff3(base, current, other, budget())
    if "clash" in {region.kind for region in found}:
        return
    merged = [element for region in found for element in taken(region, current, other)]
    put = {pair for side in (current, other) for pair in neighbours(side)}
    assert neighbours(merged) <= put


def neighbours(sequence: list[int]) -> set[tuple[int | None, int | None]]:
    with_ends = [None, *sequence, None]
    return set(pairwise(with_ends))


def test_the_budget_is_for_both_sides_together() -> None:
    base, side = [0, 1] * 200, [1, 0, 0] * 130
    alone = Budget(1_000_000)
    diff3(base, side, base, alone)
    needed = 1_000_000 - alone.left
    diff3(base, side, side, Budget(2 * needed))
    with pytest.raises(TooMuchWork):
        diff3(base, side, side, Budget(2 * needed - 1))


# --- beside git


def by_git(folder: Path, base: str, current: str, other: str) -> str | None:
    names = []
    for name, text in (("current", current), ("base", base), ("other", other)):
        (folder / name).write_text("".join(f"{letter}\n" for letter in text))
        names.append(str(folder / name))
    done = subprocess.run(
        ["git", "merge-file", "-p", "-q", *names], capture_output=True, text=True, check=False
    )
    return done.stdout.replace("\n", "") if done.returncode == 0 else None


def by_us(base: str, current: str, other: str) -> str | None:
    found = diff3(base, current, other, budget())
    if "clash" in {region.kind for region in found}:
        return None
    return "".join("".join(taken(region, current, other)) for region in found)


@pytest.mark.program("git")
def test_where_no_line_is_there_twice_git_says_the_same(tmp_path: Path) -> None:
    """With equal lines there are several longest common subsequences, and git takes other
    ones, and sometimes shorter ones."""

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.sampled_from("-+=")), max_size=4),
    )
    def agrees(edits: list[tuple[bool, int, str]]) -> None:
        base = "abcdef"
        sides = [base, base]
        for number, (which, place, edit) in enumerate(edits):
            side = sides[which]
            new = "" if edit == "-" else "UVWXYZ"[number]
            sides[which] = side[:place] + new + side[place + (edit != "+") :]
        assert by_us(base, *sides) == by_git(tmp_path, base, *sides)

    agrees()
