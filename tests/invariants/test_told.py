"""What a merge takes away is told."""

from __future__ import annotations

from couchmend.core.merging.fold import fold
from couchmend.core.merging.joined import joined
from couchmend.core.revtree import Rev, RevTree
from tests.invariants.policies import LEAST

ROOT, CURRENT, OTHER = Rev(1, "a" * 32), Rev(2, "c" * 32), Rev(2, "b" * 32)


def test_the_removal_of_the_last_attachment() -> None:
    files = {"q": {"content_type": "text/plain", "digest": "md5-+XxdKZQb+xsv2rCHSQargg=="}}
    tree = RevTree.of([([CURRENT, ROOT], False), ([OTHER, ROOT], False)])
    bodies = {
        ROOT: {"x": 1, "_attachments": files},
        CURRENT: {"x": 1},
        OTHER: {"x": 2, "_attachments": files},
    }
    folded = fold(tree, bodies, LEAST)
    told = joined(folded.side, [meeting.decisions for meeting in folded.meetings])
    assert ("_attachments", "q") in [decision.path for decision in told]
