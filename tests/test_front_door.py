"""What `import couchmend` promises."""

from __future__ import annotations

import couchmend


def test_every_name_is_shown_and_is_there() -> None:
    """Names that are imported when first used are completed in a REPL all the same."""
    assert dir(couchmend) == sorted(couchmend.__all__)
    assert all(getattr(couchmend, name) for name in couchmend.__all__ if name != "ABSENT")
    assert not couchmend.ABSENT
