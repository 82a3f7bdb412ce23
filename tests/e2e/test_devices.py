"""PouchDB's devices and our server through an outage: offline edits, live sync with retry,
conflicts, attachments, Mango; in the end everybody has the same leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from couchmend.core.document import Doc
from couchmend.replica.embedded import EmbeddedReplica, Folder
from tests.e2e.conftest import Serve, Served
from tests.e2e.devices import (
    Devices,
    browser_devices,
    leaves_of,
    node_devices,
    page_origin,
    same_leaves,
)

pytestmark = pytest.mark.timeout(400)  # on a machine that does ten other things

EDITED = [f"p{n:06}" for n in range(20)]
DELETED = [f"p{n:06}" for n in range(20, 40)]
THREE_WAY = [f"p{n:06}" for n in range(40, 50)]
MARKS_AND_ALBUM = 7
SECONDS = 100


def outage(devices: Devices, served: Served) -> None:
    """Phone and laptop sync live and the tablet does not; while the server is away, all three
    edit the same documents."""
    kept = {"kept": [1, 1000], "changed": [2, 2_000_000], "removed": [3, 500]}
    devices.ask("attach", device="phone", id="album", contents=kept)
    for device in ("phone", "laptop"):
        devices.ask("start_sync", device=device)
    meet(devices, 1)
    devices.ask("pull_some", device="tablet", ids=THREE_WAY)

    served.stop()
    for device in ("phone", "laptop"):
        devices.ask("retries", device=device, seconds=SECONDS)
    for device, ids in (
        ("phone", EDITED + DELETED + THREE_WAY),
        ("laptop", EDITED + THREE_WAY),
        ("tablet", THREE_WAY),
    ):
        devices.ask("edit", device=device, ids=ids, text=f"edited on {device}")
    devices.ask("remove", device="laptop", ids=DELETED)
    changes = {"changed": [4, 3_000_000], "removed": None, "new": [5, 100], "empty": [6, 0]}
    devices.ask("attach", device="phone", id="album", contents=changes)
    devices.ask("attach", device="laptop", id="album", contents={"changed": [7, 10]})
    served.start()

    meet(devices, 2)
    devices.ask("push_once", device="tablet")
    meet(devices, 3)


def meet(devices: Devices, round: int) -> None:
    devices.ask("meet", names=["phone", "laptop"], round=round, seconds=SECONDS)


def hold_conflicts(notes: EmbeddedReplica) -> None:
    """What the outage leaves behind on the server."""
    assert notes.check() == []
    assert [row.id for row in notes.conflicted()] == ["album", *EDITED, *DELETED, *THREE_WAY]
    for ids, names in (
        (EDITED, {"phone", "laptop"}),
        (DELETED, {"phone", None}),
        (THREE_WAY, {"phone", "laptop", "tablet"}),
    ):
        for id in ids:
            assert texts(notes, id) == {name and f"edited on {name}" for name in names}
    album: list[Doc] = [leaf.doc for leaf in notes.open_revs("album")]  # type: ignore[union-attr]
    lengths = [{name: e["length"] for name, e in doc["_attachments"].items()} for doc in album]
    assert sorted(lengths, key=len) == [
        {"kept": 1000, "changed": 10, "removed": 500},
        {"kept": 1000, "changed": 3_000_000, "new": 100, "empty": 0},
    ]


def texts(notes: EmbeddedReplica, id: str) -> set[str | None]:
    leaves = [leaf.doc for leaf in notes.open_revs(id)]  # type: ignore[union-attr]
    return {None if doc.get("_deleted") else doc["text"] for doc in leaves}


def hold_equal(devices: Devices, names: Sequence[str], notes: EmbeddedReplica) -> None:
    there = leaves_of(notes)
    for name in names:
        same_leaves(devices.ask("leaves", device=name), there)


def hold_contents(devices: Devices, notes: EmbeddedReplica) -> None:
    """Both devices can read what the other attached."""
    for leaf in leaves_of(notes)["album"]:
        for name, entry in leaf["_attachments"].items():
            for device in ("phone", "laptop"):
                size = devices.ask(
                    "attachment", device=device, id="album", name=name, rev=leaf["_rev"]
                )
                assert size == entry["length"]


def hold_queries(devices: Devices, last: int) -> None:
    """A device and our server answer alike."""
    found = devices.ask(
        "find",
        device="laptop",
        index={"index": {"fields": ["n", "_id"]}},
        query={
            "selector": {"n": {"$gte": last - 2}, "_id": {"$lt": "q"}},
            "sort": [{"n": "desc"}, {"_id": "desc"}],
            "fields": ["_id"],
        },
    )
    expected = [f"{prefix}{n:06}" for n in (last, last - 1, last - 2) for prefix in ("p", "l")]
    assert found == [expected, expected]


@pytest.mark.node
def test_devices_in_node(serve: Serve, folder: Path) -> None:
    served = serve()
    each = 5000
    with node_devices() as devices:
        memory = {"adapter": "memory"}
        names = ("phone", "laptop", "tablet")
        devices.ask("open", url=f"{served.url}/notes", devices=dict.fromkeys(names, memory))
        for device in ("phone", "laptop"):
            devices.ask("fill", device=device, prefix=device[0], count=each)
        outage(devices, served)
        for device in ("phone", "laptop"):
            assert devices.ask("stop_sync", device=device) > 1
        devices.ask("sync_once", device="tablet")
        databases = Folder(folder)
        with databases.open("notes") as notes:
            assert notes.info().documents == 2 * each + MARKS_AND_ALBUM
            hold_conflicts(notes)
            hold_equal(devices, names, notes)
            hold_contents(devices, notes)
        databases.close()
        hold_queries(devices, each - 1)
        devices.ask("close")


@pytest.mark.node
@pytest.mark.browser
def test_devices_in_a_browser(serve: Serve, folder: Path) -> None:
    each, down = 300, 10_000
    with page_origin() as origin, browser_devices(origin) as devices:
        served = serve("--cors-origin", origin)
        adapters = {"phone": "idb", "laptop": "indexeddb", "tablet": "idb"}
        options = {name: {"adapter": adapter} for name, adapter in adapters.items()}
        devices.ask("open", url=f"{served.url}/notes", devices=options)
        for device in ("phone", "laptop"):
            devices.ask("fill", device=device, prefix=device[0], count=each)
        outage(devices, served)
        for device in ("phone", "laptop"):
            assert devices.ask("stop_sync", device=device) > 1
        databases = Folder(folder)
        with databases.open("notes") as notes:
            assert notes.info().documents == 2 * each + MARKS_AND_ALBUM
            hold_conflicts(notes)
            hold_equal(devices, ["phone", "laptop"], notes)
            hold_contents(devices, notes)
            hold_queries(devices, each - 1)
            notes.bulk_docs([{"_id": f"s{n:06}", "made": "on the server"} for n in range(down)])
            devices.ask("sync_once", device="phone")
            hold_equal(devices, ["phone"], notes)
        databases.close()
        devices.ask("close")
