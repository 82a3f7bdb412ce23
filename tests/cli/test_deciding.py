"""What a person decided, as it was typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchmend.cli.deciding import Decided, decided
from couchmend.core.plans.choices import Arrange, Put, Take
from couchmend.core.values import ABSENT
from couchmend.errors import UsageError


def test_what_is_suggested_unless_something_was_chosen() -> None:
    assert decided(None) == Decided("suggested", "", {}, None)
    assert decided("local").strategy == "keep-current"
    assert decided(None, set=["a=1"]).strategy == "manual"


def test_choices() -> None:
    found = decided(
        None,
        set=["n=5", "title=Call Anna", 'q="5"', 'subtasks[id="a=b"].done=true', 'f={"x": [1]}'],
        take=["status=other", "/a~1b=2-9f"],
        arrange=["list=current"],
        remove=["old"],
    )
    assert found.choices == {
        "n": Put(5),
        "title": Put("Call Anna"),
        "q": Put("5"),
        'subtasks[id="a=b"].done': Put(True),
        "f": Put({"x": [1]}),
        "status": Take("other"),
        "/a~1b": Take("2-9f"),
        "list": Arrange("current"),
        "old": Put(ABSENT),
    }


def test_a_whole_body(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"title": "x", "n": 12345678901234567890123}')
    assert decided(None, body=file).body == {"title": "x", "n": 12345678901234567890123}
    file.write_text("[1]")
    with pytest.raises(UsageError, match="is an object"):
        decided(None, body=file)
    file.write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        decided(None, body=file)
    with pytest.raises(UsageError, match="cannot be read"):
        decided(None, body=tmp_path / "none")
    file.write_text("{}")
    with pytest.raises(UsageError, match="exclude"):
        decided(None, body=file, set=["a=1"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategy": "marge"}, "did you mean merge"),
        ({"strategy": "merge", "set": ["a=1"]}, "takes no choices"),
        ({"strategy": "merge", "revision": "2-a"}, "belongs to keep-other"),
        ({"strategy": None, "set": ["title"]}, "lacks its value"),
        ({"strategy": None, "take": ["title"]}, "lacks its version"),
        ({"strategy": None, "set": ["a=1", "a=2"]}, "decided twice"),
        ({"strategy": None, "set": ["a..b=1"]}, "not a path"),
        ({"strategy": None, "take": ["list[0]=other"]}, "by its place"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        decided(**given)  # type: ignore[arg-type]
