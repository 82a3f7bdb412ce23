"""How large things may be in an embedded replica."""

from __future__ import annotations

from dataclasses import dataclass

from couchmend.core.document import MAX_DEPTH


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what is written; what is stored already stays readable.

    max_document_bytes: a document's own fields as JSON, without attachments.
    max_depth: levels of lists and objects in a document.
    max_attachment_bytes: one attachment.
    max_id_bytes: a document's id in UTF-8.
    """

    max_document_bytes: int = 8_000_000
    max_depth: int = MAX_DEPTH
    max_attachment_bytes: int = 1 << 30
    max_id_bytes: int = 4096
