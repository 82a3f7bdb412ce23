"""Attachments whose contents a server calls by one name although they are not the same."""

from __future__ import annotations

from contextlib import closing

from couchmend.core.revtree import Rev
from couchmend.engine.carrying import Resolved
from couchmend.journal import archive
from couchmend.journal.contents import content
from tests.engine.sites import branch, embedded, inline

TEXT = b"water the garden " * 300
IMAGE = b"what the text is, compressed"


def test_a_text_is_not_taken_for_what_its_compressed_form_is_elsewhere() -> None:
    """CouchDB names a text by its compressed form, and an image of those bytes likewise."""
    world = embedded()
    with closing(world):
        replica = world.replica
        root = Rev.parse(replica.put({"_id": "a", "n": 1}))
        branch(replica, "a", [root], {"n": 1, "x": 1}, hash="f" * 32)
        file = {"t.txt": inline(TEXT, "text/plain")}
        loser = branch(replica, "a", [root], {"n": 1, "y": 1, "_attachments": file}, hash="1" * 32)
        name = replica.get("a", rev=str(loser))["_attachments"]["t.txt"]["digest"]
        image = archive.keep_content(world.journal, [IMAGE])
        database = world.site.database.id
        with world.journal.write() as tx:
            archive.attach(tx, database, "a", root, "p.png", "image/png", name, image)
        assert isinstance(world.resolve("a"), Resolved)
        assert b"".join(replica.attachment("a", "t.txt").chunks) == TEXT
        with world.journal.read() as tx:
            kept = {one.rev: one.content for one in archive.attachments(tx, database, "a")}
        assert b"".join(content(world.journal, kept[loser].digest)) == TEXT
