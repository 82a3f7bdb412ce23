"""Replication between any two replicas, by CouchDB's protocol.

https://docs.couchdb.org/en/stable/replication/protocol.html: read the source's changes, ask
the target what it lacks, read that with its history, write it as it is, and note in a local
document on both sides how far it went.
"""

from couchmend.replica.replicate.checkpoints import ID_VERSION
from couchmend.replica.replicate.counting import Progress, Summary
from couchmend.replica.replicate.session import keep_replicating, replicate

__all__ = ["ID_VERSION", "Progress", "Summary", "keep_replicating", "replicate"]
