"""couchmend: find, explain, resolve and undo replication conflicts in CouchDB databases."""

from couchmend.replica.opening import open_replica, open_server

__all__ = ["__version__", "open_replica", "open_server"]
__version__ = "0.1.0"
