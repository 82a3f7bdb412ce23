"""couchmend: find, explain, resolve and undo replication conflicts in CouchDB databases."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from couchmend.core.merging.merge import Merge, merge, merge_json
    from couchmend.core.policy.policy import Policy
    from couchmend.core.values import ABSENT
    from couchmend.engine.engine import Engine
    from couchmend.engine.finding.scan import scan
    from couchmend.replica.opening import open_replica, open_server

__all__ = [
    "ABSENT",
    "Engine",
    "Merge",
    "Policy",
    "__version__",
    "merge",
    "merge_json",
    "open_replica",
    "open_server",
    "scan",
]
__version__ = "0.1.0"

# Imported when first used: the command line starts without them.
_HOMES = {
    "ABSENT": "couchmend.core.values",
    "Engine": "couchmend.engine.engine",
    "Merge": "couchmend.core.merging.merge",
    "Policy": "couchmend.core.policy.policy",
    "merge": "couchmend.core.merging.merge",
    "merge_json": "couchmend.core.merging.merge",
    "open_replica": "couchmend.replica.opening",
    "open_server": "couchmend.replica.opening",
    "scan": "couchmend.engine.finding.scan",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
