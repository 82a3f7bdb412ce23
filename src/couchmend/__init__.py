"""couchmend: find, explain, resolve and undo replication conflicts in CouchDB databases."""

__version__ = "0.1.0"
