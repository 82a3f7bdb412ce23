"""couchmend: find, explain, resolve and undo replication conflicts in CouchDB databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from couchmend.replica.opening import open_replica, open_server

__all__ = ["__version__", "open_replica", "open_server"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Imported when first used: the command line starts without them.
    if name in ("open_replica", "open_server"):
        from couchmend.replica import opening

        return getattr(opening, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
