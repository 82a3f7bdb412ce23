"""A revision tree as a drawing: one line a branch, one column a generation that matters."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.text import Text

from couchmend.cli.output import plain
from couchmend.core.revtree import Leaf, Rev, RevTree

TOMBSTONE = "†"
FORGOTTEN = "… "
SHORTEST_HASH = 6
NARROWEST_COLUMN = SHORTEST_HASH + len("1-") + len(" ─── ")

WINNER = "bold green"
CONFLICT = "bold yellow"
DELETED = "dim"
LINE = "dim"

Role: TypeAlias = tuple[str, str]
"""What a leaf is called, and its style."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """One line: the revisions that no line above shows, oldest first, and where they join."""

    revs: tuple[Rev, ...]
    joins: Rev | None


def draw(
    tree: RevTree,
    *,
    width: int = 100,
    most: int = 24,
    notes: Mapping[Rev, str] | None = None,
    roles: Mapping[Rev, Role] | None = None,
    marks: Mapping[Rev, str] | None = None,
) -> list[Text]:
    """The lines of the drawing: the winner's branch first, then the others as they fork.

    Revisions between two that are shown are drawn as `┄`; a branch whose beginning was
    forgotten starts with `…`; a tombstone carries a dagger.  `notes` says more about leaves.
    A tree too wide for `width` becomes a list of its leaves; at most `most` lines are drawn.

    roles: what leaves are called, and in which style, where that is not what they are to
        CouchDB.
    marks: signs that stand before revisions; what has one gets a column.
    """
    if not len(tree):
        return []
    notes, marks = notes or {}, marks or {}
    branches = _branches(tree)
    shown = branches[:most]
    label = _labels(tree, itertools.chain.from_iterable(branch.revs for branch in shown), marks)
    states = {leaf.rev: _state(leaf, first=place == 0) for place, leaf in enumerate(tree.leaves())}
    states.update(roles or {})
    styles = {rev: style for rev, (_, style) in (roles or {}).items()}
    longest = max(len(states[branch.revs[-1]][0]) for branch in shown)
    room = 2 + longest + max((len(note) + 2 for note in notes.values()), default=0)
    lines = []
    for generations in _columns(tree, shown, marks):
        if len(generations) * NARROWEST_COLUMN > width:
            continue
        drawing = _drawing(shown, generations, label, styles)
        if max(len(line) for line in drawing) + max(room, 12) <= width:
            lines = drawing
            break
    else:
        lines = [_in_a_line(branch, label) for branch in shown]
    edge = max(len(line) for line in lines)
    for branch, line in zip(shown, lines, strict=True):
        words, style = states[branch.revs[-1]]
        line.append(" " * (edge - len(line) + 2))
        line.append(words, style)
        note = notes.get(branch.revs[-1])
        if note:
            line.append(" " * (longest - len(words) + 2) + note)
    if len(branches) > most:
        lines.append(Text(f"… and {len(branches) - most} more branches", LINE))
    return lines


def short_hash_length(revs: Iterable[Rev]) -> int:
    """How many characters of the hashes tell revisions of one generation apart."""
    known = set(revs)
    longest = max((len(rev.hash) for rev in known), default=SHORTEST_HASH)
    for length in range(SHORTEST_HASH, longest):
        if len({(rev.generation, rev.hash[:length]) for rev in known}) == len(known):
            return length
    return longest


def _state(leaf: Leaf, *, first: bool) -> tuple[str, str]:
    if first:
        return ("winner, deleted", DELETED) if leaf.deleted else ("winner", WINNER)
    return ("deleted", DELETED) if leaf.deleted else ("conflict", CONFLICT)


def _labels(tree: RevTree, revs: Iterable[Rev], marks: Mapping[Rev, str]) -> dict[Rev, str]:
    known = list(revs)
    length = short_hash_length(known)
    return {
        rev: f"{marks.get(rev, '')}{rev.generation}-{plain(rev.hash[:length])}"
        + (TOMBSTONE if tree.is_deleted(rev) else "")
        for rev in known
    }


def _branches(tree: RevTree) -> list[_Branch]:
    """Every branch once, a fork's branches best first and right below it."""
    children: dict[Rev | None, list[Rev]] = {}
    seen: set[Rev] = set()
    for leaf in tree.leaves():
        for rev in tree.ancestry(leaf.rev):
            if rev in seen:
                break
            seen.add(rev)
            children.setdefault(tree.parent(rev), []).append(rev)
    waiting: list[tuple[Rev, Rev | None]] = [(root, None) for root in reversed(children[None])]
    branches = []
    while waiting:
        start, joins = waiting.pop()
        revs = [start]
        while further := children.get(revs[-1]):
            waiting.extend((other, revs[-1]) for other in reversed(further[1:]))
            revs.append(further[0])
        branches.append(_Branch(tuple(revs), joins))
    return branches


def _columns(
    tree: RevTree, branches: Sequence[_Branch], marks: Mapping[Rev, str]
) -> Iterator[list[int]]:
    """Which generations get a column, from the most telling choice to the narrowest."""
    every = [rev for branch in branches for rev in branch.revs]
    forks = {branch.joins.generation for branch in branches if branch.joins is not None}
    must = {branch.revs[-1].generation for branch in branches} | forks
    must |= {branch.revs[0].generation for branch in branches if branch.joins is None}
    must |= {rev.generation for rev in every if rev in marks}
    after = {fork + 1 for fork in forks}
    deleted = {rev.generation for rev in every if tree.is_deleted(rev)}
    for choice in ({rev.generation for rev in every}, must | after | deleted, must | after, must):
        yield sorted(choice)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where things stand: the generations that have a column, the columns' widths, and for
    each fork its column, its line and the last line that joins it."""

    generations: Sequence[int]
    widths: Sequence[int]
    label: Mapping[Rev, str]
    styles: Mapping[Rev, str]
    forks: Mapping[Rev, tuple[int, int, int]]

    def column(self, rev: Rev) -> int:
        return bisect_left(self.generations, rev.generation)

    def style(self, rev: Rev | None) -> str:
        return self.styles.get(rev, "") if rev is not None else ""

    def is_upright(self, column: int, row: int) -> bool:
        return any(at == column and top <= row < last for at, top, last in self.forks.values())


def _drawing(
    branches: Sequence[_Branch],
    generations: Sequence[int],
    label: Mapping[Rev, str],
    styles: Mapping[Rev, str],
) -> list[Text]:
    widest: dict[int, int] = {}
    for rev, text in label.items():
        widest[rev.generation] = max(widest.get(rev.generation, 0), len(text))
    widths = [widest[generation] for generation in generations]
    row_of = {rev: row for row, branch in enumerate(branches) for rev in branch.revs}
    forks = {
        branch.joins: (bisect_left(generations, branch.joins.generation), row_of[branch.joins], row)
        for row, branch in enumerate(branches)
        if branch.joins is not None
    }
    grid = _Grid(generations, widths, label, styles, forks)
    lines = [_line(grid, row, branch) for row, branch in enumerate(branches)]
    # A root in the first column that is not the beginning gets its `…` in a margin.
    cut = [
        branch.joins is None and branch.revs[0].generation == generations[0] > 1
        for branch in branches
    ]
    if any(cut):
        lines = [
            Text(FORGOTTEN if forgotten else " " * len(FORGOTTEN), LINE) + line
            for forgotten, line in zip(cut, lines, strict=True)
        ]
    return lines


def _line(grid: _Grid, row: int, branch: _Branch) -> Text:
    columns = set(grid.generations)
    shown = {grid.column(rev): rev for rev in branch.revs if rev.generation in columns}
    first, last = min(shown), max(shown)
    fork = None if branch.joins is None else grid.column(branch.joins)
    line = Text()
    for place in range(last):
        rev = shown.get(place)
        text = "" if rev is None else grid.label[rev]
        pad = grid.widths[place] - len(text)
        down = grid.is_upright(place, row)
        follows = grid.generations[place + 1] == grid.generations[place] + 1
        dash = "─" if follows else "┄"
        line.append(text, grid.style(rev))
        if rev is not None or (fork is not None and fork < place < first):
            joint = "┬" if rev in grid.forks else dash
            line.append(f" {dash * pad}{dash}{joint}{dash} ", LINE)
        elif place == fork:
            line.append(" " * pad + f"  {'├' if down else '└'}{dash} ", LINE)
        elif fork is None and place == first - 1 and branch.revs[0].generation > 1:
            line.append(" " * pad + "   " + FORGOTTEN, LINE)
        else:
            line.append(" " * pad + ("  │  " if down else " " * 5), LINE)
    line.append(grid.label[shown[last]], grid.style(shown[last]))
    return line


def _in_a_line(branch: _Branch, label: Mapping[Rev, str]) -> Text:
    """A branch in words, for trees that are too wide to draw."""
    line = Text(label[branch.revs[-1]].ljust(max(map(len, label.values()))))
    revisions = "1 revision" if len(branch.revs) == 1 else f"{len(branch.revs)} revisions"
    since = (
        f"from {label[branch.revs[0]]}"
        if branch.joins is None
        else (f"after {label[branch.joins]}")
    )
    line.append(f"  {revisions} {since}", LINE)
    return line
