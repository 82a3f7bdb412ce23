"""What a document's `_revisions` say, and what of it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.chain import chain_of, history_of
from couchmend.core.document import JSON
from couchmend.core.revtree import Rev
from couchmend.errors import DocumentInvalid


@given(hashes=st.lists(st.text(max_size=8), max_size=6), older=st.integers(0, 5))
def test_the_chain_goes_back_from_the_newest(hashes: list[str], older: int) -> None:
    start = len(hashes) + older
    doc = {"_revisions": {"start": start, "ids": hashes}}
    assert history_of(doc) == (start, hashes)
    chain = list(chain_of(doc))
    assert [rev.hash for rev in chain] == hashes
    assert [rev.generation for rev in chain] == list(range(start, older, -1))


def test_hashes_stay_as_they_are_written() -> None:
    upper = "ABCDEF" * 5 + "AB"
    assert list(chain_of({"_revisions": {"start": 1, "ids": [upper]}})) == [Rev(1, upper)]


MALFORMED: list[JSON] = [
    None,
    7,
    [],
    {},
    {"start": 1},
    {"ids": ["a"]},
    {"start": "1", "ids": ["a"]},
    {"start": True, "ids": ["a"]},
    {"start": 1, "ids": "a"},
    {"start": 1, "ids": ["b", "a"]},
    {"start": -1, "ids": []},
    {"start": 2, "ids": ["b", 7]},
]


@pytest.mark.parametrize("revisions", MALFORMED, ids=str)
def test_what_is_no_history(revisions: JSON) -> None:
    with pytest.raises(DocumentInvalid):
        chain_of({"_revisions": revisions})


def test_no_history_at_all() -> None:
    with pytest.raises(DocumentInvalid):
        chain_of({"_id": "a"})
