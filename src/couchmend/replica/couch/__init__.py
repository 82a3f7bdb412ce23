"""The HTTP client: databases of a CouchDB, or of anything that speaks its protocol."""

from couchmend.replica.couch.connection import Options
from couchmend.replica.couch.database import CouchReplica
from couchmend.replica.couch.server import CouchServer

__all__ = ["CouchReplica", "CouchServer", "Options"]
