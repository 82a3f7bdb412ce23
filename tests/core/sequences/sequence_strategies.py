"""A base and what two sides made of it, with what should become of that known beforehand."""

from __future__ import annotations

from hypothesis import strategies as st

from couchmend.core.sequences.budget import Budget


def budget() -> Budget:
    """More than any small example needs."""
    return Budget(1_000_000)


# Few different elements, so that many are equal; and elements none of which is there twice.
ALIKE = st.lists(st.integers(0, 3), max_size=9)
UNIQUE = st.lists(st.integers(0, 9), max_size=9, unique=True)
SEQUENCES = ALIKE | UNIQUE


@st.composite
def edits_apart(draw: st.DrawFn) -> tuple[list[str], list[str], list[str], list[str]]:
    """Base, current, other, and what they must merge to.

    Between any two edits stands something that nobody touched; what is new is like nothing
    that was there.
    """
    base: list[str] = []
    current: list[str] = []
    other: list[str] = []
    merged: list[str] = []
    for number in range(draw(st.integers(0, 5))):
        by = draw(st.sampled_from(["current", "other", "same"]))
        was = [f"was{number}.{at}" for at in range(draw(st.integers(0, 2)))]
        now = [f"{by}{number}.{at}" for at in range(draw(st.integers(0, 2)))]
        kept = [f"kept{number}.{at}" for at in range(draw(st.integers(1, 2)))]
        base += [*was, *kept]
        current += [*(was if by == "other" else now), *kept]
        other += [*(was if by == "current" else now), *kept]
        merged += [*now, *kept]
    return base, current, other, merged
