"""What `import couchmend` promises."""

from __future__ import annotations

from typing import Any

import pytest

import couchmend
from couchmend.errors import DocumentInvalid, UsageError


def test_every_name_is_shown_and_is_there() -> None:
    """Names that are imported when first used are completed in a REPL all the same."""
    assert dir(couchmend) == sorted(couchmend.__all__)
    assert all(getattr(couchmend, name) for name in couchmend.__all__ if name != "ABSENT")
    assert not couchmend.ABSENT


def test_a_policy_is_a_policy() -> None:
    wrong: Any = {"fields": {"a": "latest"}}
    for front in (couchmend.merge, couchmend.merge_json):
        with pytest.raises(UsageError, match="is not a policy"):
            front({}, {}, {}, wrong)


def test_what_is_too_deep_or_no_json_says_which_version_it_is() -> None:
    deep: Any = 0
    for _ in range(201):
        deep = {"a": deep}
    for front in (couchmend.merge, couchmend.merge_json):
        with pytest.raises(DocumentInvalid) as refusal:
            front({}, {}, deep)
        assert refusal.value.target == "other"
        assert "200 levels" in refusal.value.hint
