"""The checks as a list."""

from __future__ import annotations

from couchmend.cli.drawing.checks import ADVICE, advice, explained
from couchmend.core.conflicts.classify import classify
from couchmend.core.conflicts.eligibility import Check, Circumstances, eligibility
from tests.cli.drawing.pictures import console, picture, text_of
from tests.cli.drawing.test_conflict import TWO

NOW = 1_796_000_000_000_000


def test_what_is_not_met_stands_first_with_what_helps() -> None:
    where = console()
    where.print(
        explained(
            [
                Check("paused", True, "resolving is not paused"),
                Check("mode", False, "it is observe"),
            ],
            number=7,
        )
    )
    shown = text_of(where)
    assert "It waits for a person: 1 check is not met." in shown
    assert shown.index("✗  mode") < shown.index("✓  paused")
    assert "→ set mode" in shown


def test_there_is_advice_for_every_check() -> None:
    found = picture(TWO)
    kind = classify(TWO, found.examined.versions.folded, found.examined.policy)
    every = eligibility(
        TWO, found.plan, kind, found.examined.policy, Circumstances(mode="observe", now=NOW)
    )
    assert {check.name for check in every} == set(ADVICE)


def test_advice_names_the_conflict() -> None:
    assert advice(Check("snoozed", False, "it is snoozed"), 12) == (
        "couchmend conflicts snooze 12 --wake"
    )


def test_all_met() -> None:
    where = console()
    where.print(explained([Check("mode", True, "it is auto")]))
    assert "the next sweep resolves it" in text_of(where)
