"""Texts: merged by lines, and by words inside lines that both sides changed.

In what is merged every word stands before a word before which it stands on one of the sides:
changes that touch are a clash, since it is nobody's text that would come of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.diff3 import Match, matching, regions, taken
from couchmend.core.sequences.lists import moved_twice
from couchmend.core.sequences.words import line_ends, lines, words

_ALIKE: Final = 500
"""Thousandths of two lines that must be common before one counts as the other, edited."""
_COST_OF_COMPARING_LINES: Final = 10


def merge_text(base: str, current: str, other: str, budget: Budget) -> str | None:
    """Merge two texts; none, if both sides changed one place.

    Lines end with `\\n`, `\\r\\n` or `\\r`; a last line without an end differs from one with it.
    Where a side gave all lines other ends than they had in the base, that is one change, and
    what the other side wrote has these ends, too.

    Raises:
        TooMuchWork: the budget was used up.
    """
    if "\r" not in base and "\r" not in current and "\r" not in other:
        return _settled(base, current, other, budget)
    before, *ends = map(line_ends, (base, current, other))
    if len(before) != 1 or max(map(len, ends)) > 1 or ends == [before, before]:
        return _settled(base, current, other, budget)
    (was,) = before
    mine, theirs = ("".join(end) or was for end in ends)
    if was not in (mine, theirs) and mine != theirs:
        return None
    texts = base.replace(was, "\n"), current.replace(mine, "\n"), other.replace(theirs, "\n")
    merged = _settled(*texts, budget)
    return None if merged is None else merged.replace("\n", theirs if mine == was else mine)


def _settled(base: str, current: str, other: str, budget: Budget) -> str | None:
    """The merge, if merging it with either side changes nothing, or is a clash: where lines or
    words are equal, what one side did can look like something else that was done to the
    result."""
    merged = _merge_lines(base, current, other, budget)
    if merged is None or merged in (current, other):
        return merged
    again = (_merge_lines(base, merged, side, budget) for side in (current, other))
    return merged if all(text in (merged, None) for text in again) else None


def _merge_lines(base: str, current: str, other: str, budget: Budget) -> str | None:
    was, mine, theirs = lines(base), lines(current), lines(other)
    here, there = matching(was, mine, budget), matching(was, theirs, budget)
    merged: list[str] = []
    for region in regions(was, mine, theirs, here, there):
        if region.kind != "clash":
            merged += taken(region, mine, theirs)
            continue
        found = _merge_words(
            was[region.base.start : region.base.stop],
            mine[region.current.start : region.current.stop],
            theirs[region.other.start : region.other.stop],
            _within(here, region.base, region.current),
            _within(there, region.base, region.other),
            budget,
        )
        if found is None:
            return None
        merged += found
    text = "".join(merged)
    written = [line for line in lines(text) if not line.isspace()]
    return None if moved_twice(was, mine, theirs, written) else text


def _within(matches: Iterable[Match], base: range, side: range) -> Iterator[Match]:
    """What of it lies in a region, counted from where that begins."""
    for match in matches:
        start = max(match.base, base.start)
        stop = min(match.base + match.length, base.stop)
        if start < stop:
            place = start - match.base + match.side - side.start
            yield Match(start - base.start, place, stop - start)


def _merge_words(
    base: list[str],
    current: list[str],
    other: list[str],
    here: Iterable[Match],
    there: Iterable[Match],
    budget: Budget,
) -> list[str] | None:
    """Merge lines by words.

    here, there: the lines that a side has in common with the base.
    """
    was, mine, theirs = _Words(base), _Words(current), _Words(other)
    budget.spend(len(was.all) + len(mine.all) + len(theirs.all))
    matched = (
        _words_in_common(was, mine, here, budget),
        _words_in_common(was, theirs, there, budget),
    )
    merged: list[str] = []
    changed = ""
    for region in regions(was.all, mine.all, theirs.all, *matched):
        if region.kind == "clash":
            return None
        if region.kind != "stable":
            if changed not in ("", region.kind):
                return None  # only a space stands between: that is one place
            changed = region.kind
        elif not all(map(_is_gap, was.all[region.base.start : region.base.stop])):
            changed = ""
        merged += taken(region, mine.all, theirs.all)
    return merged


def _is_gap(word: str) -> bool:
    """Whether it is a space between words of a line."""
    return word.isspace() and not line_ends(word)


class _Words:
    """The words of lines."""

    def __init__(self, of: Iterable[str]) -> None:
        self.lines = [words(line) for line in of]
        self.starts = [0, *accumulate(map(len, self.lines))]
        self.all = [word for line in self.lines for word in line]


def _words_in_common(
    base: _Words, side: _Words, common: Iterable[Match], budget: Budget
) -> list[Match]:
    """Words are compared inside lines only, those of a line with those of what it became.

    To compare the words of several lines at once would find the end of a line that was
    removed in the next one, which begins like it, and lay another's edit of it there.
    """
    found: list[Match] = []
    line = place = 0
    for match in [*common, Match(len(base.lines), len(side.lines), 0)]:
        pairs = _edited(base.lines[line : match.base], side.lines[place : match.side], budget)
        for one, two in pairs:
            start, there = base.starts[line + one], side.starts[place + two]
            inner = _in_line(base.lines[line + one], side.lines[place + two], budget)
            found += [Match(start + at, there + to, length) for at, to, length in inner]
        line, place = match.base + match.length, match.side + match.length
        start = base.starts[match.base]
        if match.length:
            found.append(Match(start, side.starts[match.side], base.starts[line] - start))
    return found


def _in_line(base: list[str], side: list[str], budget: Budget) -> list[Match]:
    """Words first, then the spaces between them: any space is like any other."""
    at, there = _no_spaces(base), _no_spaces(side)
    common = matching([base[one] for one in at], [side[one] for one in there], budget)
    pairs = [
        (at[first + step], there[second + step])
        for first, second, length in common
        for step in range(length)
    ]
    found: list[Match] = []
    start = place = 0
    for end, to in [*pairs, (len(base), len(side))]:
        between, beside = base[start:end], side[place:to]
        if between == beside:
            found.append(Match(start, place, end - start + (end < len(base))))
        else:
            inner = matching(between, beside, budget)
            found += [Match(start + one, place + two, length) for one, two, length in inner]
            if end < len(base):
                found.append(Match(end, to, 1))
        start, place = end + 1, to + 1
    return [match for match in found if match.length]


def _no_spaces(line: list[str]) -> list[int]:
    return [place for place, word in enumerate(line) if not word.isspace()]


def _edited(
    base: Sequence[list[str]], side: Sequence[list[str]], budget: Budget
) -> list[tuple[int, int]]:
    """Which lines became which: the pairs in order that are most alike, all in all."""
    if len(base) == len(side) == 1:
        return [(0, 0)]
    if not base or not side:
        return []
    budget.spend(_COST_OF_COMPARING_LINES * len(base) * len(side))
    mine, theirs = list(map(_weights, base)), list(map(_weights, side))
    # best[at][there]: how much alike the lines from there on are.
    best = [[0] * (len(side) + 1) for _ in range(len(base) + 1)]
    alike = [[_alike(one, two) for two in theirs] for one in mine]
    for at in reversed(range(len(base))):
        row, below = best[at], best[at + 1]
        for there in reversed(range(len(side))):
            row[there] = max(below[there], row[there + 1], alike[at][there] + below[there + 1])
    pairs = []
    at = there = 0
    while at < len(base) and there < len(side):
        if alike[at][there] and best[at][there] == alike[at][there] + best[at + 1][there + 1]:
            pairs.append((at, there))
            at, there = at + 1, there + 1
        elif best[at][there] == best[at + 1][there]:
            at += 1
        else:
            there += 1
    return pairs


def _weights(line: list[str]) -> Counter[str]:
    return Counter(word for word in line if not word.isspace())


def _alike(one: Counter[str], two: Counter[str]) -> int:
    """How much two lines have in common, in thousandths; nothing, if too little."""
    common = sum(len(word) * min(times, two[word]) for word, times in one.items())
    total = sum(len(word) * times for words in (one, two) for word, times in words.items())
    share = 2000 * common // total if total else 0
    return share if share > _ALIKE else 0
