"""A CouchDB-protocol database in one SQLite file, or a folder of them."""

from couchmend.replica.embedded.database import EmbeddedReplica
from couchmend.replica.embedded.folder import Folder
from couchmend.replica.embedded.limits import Limits

__all__ = ["EmbeddedReplica", "Folder", "Limits"]
