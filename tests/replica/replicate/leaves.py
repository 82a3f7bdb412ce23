"""What two replicas must agree in after replication."""

from __future__ import annotations

from couchmend.core.document import Doc
from couchmend.replica.base import ChangesQuery, Replica
from tests.contract.chains import found


def leaves_of_all(replica: Replica) -> dict[str, list[Doc]]:
    """Every leaf with its history and attachments."""
    shown: dict[str, list[Doc]] = {}
    for row in replica.changes(ChangesQuery(style="all_docs")).rows:
        docs = found(replica.open_revs(row.id, revs=True, attachments=True))
        for doc in docs:
            for entry in doc.get("_attachments", {}).values():
                del entry["digest"]  # of compressible types, it depends on the server
        shown[row.id] = sorted(docs, key=lambda doc: str(doc["_rev"]))
    return shown
