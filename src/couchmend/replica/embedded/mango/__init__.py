"""Mango: queries by selector, and the indexes that answer them
(https://docs.couchdb.org/en/stable/api/database/find.html).

An index is defined by a design document, as in CouchDB, so it replicates.  Its rows lie in
the table `mango_rows` and are brought up to date when a query needs them.
"""

from couchmend.replica.embedded.mango.creating import create_index, delete_index
from couchmend.replica.embedded.mango.finding import explain, find, indexes

__all__ = ["create_index", "delete_index", "explain", "find", "indexes"]
