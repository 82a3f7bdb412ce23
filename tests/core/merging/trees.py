"""Small histories of one document: revision trees with every body."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from couchmend.core.document import JSON
from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import ABSENT, Value

FIELDS = ("x", "y", "z")
CHANGES = st.dictionaries(
    st.sampled_from(FIELDS), st.one_of(st.just(ABSENT), st.integers(0, 3)), min_size=1, max_size=2
)


@dataclass
class History:
    """A document's revisions: each chain newest first, and each body."""

    chains: list[tuple[list[Rev], bool]] = field(default_factory=list)
    bodies: dict[Rev, JSON] = field(default_factory=dict)

    @property
    def tree(self) -> RevTree:
        return RevTree.of(self.chains)


@st.composite
def histories(draw: st.DrawFn, changes: st.SearchStrategy[dict[str, Value]] = CHANGES) -> History:
    """Up to eight edits, each of any revision; some branches end in a deletion."""
    root = Rev(1, "0" * 32)
    chains: dict[Rev, list[Rev]] = {root: [root]}
    history = History(bodies={root: {"x": 0, "y": 0, "z": 0}})
    dead: set[Rev] = set()
    for number in range(1, draw(st.integers(1, 8)) + 1):
        parent = draw(st.sampled_from([rev for rev in chains if rev not in dead]))
        rev = Rev(parent.generation + 1, f"{draw(st.integers(0, 15)):x}{number:031x}")
        chains[rev] = [rev, *chains[parent]]
        if draw(st.integers(0, 6)) == 0 and number > 1:
            dead.add(rev)
        else:
            body = dict(history.bodies[parent])
            for name, value in draw(changes).items():
                if value is ABSENT:
                    body.pop(name, None)
                else:
                    body[name] = value
            history.bodies[rev] = body
    parents = {chain[1] for chain in chains.values() if len(chain) > 1}
    history.chains = [(chain, rev in dead) for rev, chain in chains.items() if rev not in parents]
    return history


def live(history: History) -> list[Rev]:
    """The live leaves, the winner first."""
    return [leaf.rev for leaf in history.tree.leaves() if not leaf.deleted]


def rev(text: str) -> Rev:
    """`2-a` as a revision."""
    generation, name = text.split("-")
    return Rev(int(generation), name * 32)
