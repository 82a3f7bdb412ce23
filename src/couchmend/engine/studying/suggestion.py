"""What a study leads to: lines of a policy, each with the figures it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from couchmend.core.document import JSON
from couchmend.core.policy.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line of a policy.

    key: where it stands in the policy's table: `("fields", "tags")`, `("timestamp_fields",)`.
    certain: whether it is to hold; what is not certain is shown, and left out of the policy.
    reason: what it rests on, in a sentence; figures: the same as numbers.
    """

    key: tuple[str, ...]
    value: JSON
    certain: bool
    reason: str
    figures: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SuggestedPolicy:
    """The policy for the documents of one type.

    match, ids: which documents; neither for the default policy.
    about: sentences about these documents; collisions: by field, in how many conflicts several
    versions changed it in different ways, and in how many the default rules leave that open.
    """

    name: str
    match: Mapping[str, JSON] | None
    ids: tuple[str, ...]
    about: tuple[str, ...]
    suggestions: tuple[Suggestion, ...]
    collisions: Mapping[str, tuple[int, int]]
    documents: int
    conflicts: int

    def table(self) -> dict[str, JSON]:
        """What is certain, as a table of a configuration file."""
        table: dict[str, JSON] = {}
        if self.match is not None:
            table["match"] = dict(self.match)
        if self.ids:
            table["ids"] = list(self.ids)
        for one in self.suggestions:
            if one.certain:
                at = table
                for part in one.key[:-1]:
                    at = at.setdefault(part, {})
                at[one.key[-1]] = one.value
        return table


def pattern(path: tuple[str, ...]) -> str:
    """A path of members as policies write it."""
    return Pattern.of_names(path).text


def share(part: int, whole: int, what: str) -> str:
    """`all 12 …`, `9 of 12 …`."""
    if part == whole:
        return f"the one {what.removesuffix('s')}" if whole == 1 else f"all {whole:,} {what}"
    return f"{part:,} of {whole:,} {what}"


def times(count: int, what: str) -> str:
    """`1 edit`, `12 edits`."""
    several = f"{what.removesuffix('y')}ies" if what.endswith("cy") else f"{what}s"
    return f"{count:,} {what if count == 1 else several}"
