"""Three devices with one list of tasks: what they start with, and what their people do offline."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from couchmend.core.document import JSON, Doc
from couchmend.core.values import canonical
from couchmend.replica.base import Replica

PHONE, LAPTOP, TABLET = "phone", "laptop", "tablet"
DEVICES = (PHONE, LAPTOP, TABLET)


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody does to a document, and what people call it.

    minutes_ago: when it is done.
    make: the members that become others, of the document as the device has it; None deletes it.
    """

    device: str
    id: str
    said: str
    minutes_ago: int
    make: Callable[[Doc], Mapping[str, JSON]] | None


def checksum(body: Mapping[str, JSON]) -> str:
    """That of a receipt, over everything else in it."""
    covered = {name: value for name, value in body.items()
               if not name.startswith("_") and name != "checksum"}  # fmt: skip
    return hashlib.sha256(canonical(covered)).hexdigest()


def at_first(now: datetime) -> list[Doc]:
    """What all devices have before they go offline."""

    def task(id: str, title: str, **members: JSON) -> Doc:
        return {
            "_id": id, "type": "task", "title": title, "status": "todo", **members,
            "updatedAt": _when(now, 240), "deviceId": PHONE,
        }  # fmt: skip

    receipt: Doc = {
        "_id": "receipt", "type": "receipt", "shop": "Bookshop", "amount": 34.5,
        "updatedAt": _when(now, 240), "deviceId": PHONE,
    }  # fmt: skip
    return [
        task("groceries", "Groceries", dueDate="2026-12-04", tags=["home"], subtasks=[
            {"id": "s1", "title": "Bread", "done": False},
            {"id": "s2", "title": "Milk", "done": False},
        ]),
        task("report", "Write the report", completedPomodoros=2, estimate=8),
        task("dentist", "Call the dentist", description="Ask for a date in January."),
        task("plants", "Water the plants", priority="low"),
        task("party", "Plan the party", guests=8, place="at home", music="to be found"),
        task("kitchen", "Paint the kitchen"),
        task("holiday", "Book the train", description="To the sea, in July."),
        task("bicycle", "Repair the bicycle", priority="low", description="The brake squeaks."),
        task("rent", "Pay the rent", amount=820),
        {**receipt, "checksum": checksum(receipt)},
    ]  # fmt: skip


def edits() -> list[Edit]:
    """What people do while all three are offline."""

    def set_(**members: JSON) -> Callable[[Doc], Mapping[str, JSON]]:
        return lambda doc: members

    def paid(doc: Doc) -> Mapping[str, JSON]:
        changed = {**doc, "amount": 36.9}
        return {"amount": 36.9, "checksum": checksum(changed)}

    passport = {"type": "task", "status": "todo", "priority": "high"}
    return [
        Edit(PHONE, "rent", "went up", 180, set_(amount=860)),
        Edit(PHONE, "groceries", "bread is bought", 175, lambda doc: {
            "subtasks": [{**doc["subtasks"][0], "done": True}, *doc["subtasks"][1:]]}),
        Edit(LAPTOP, "groceries", "coffee, too, and it is urgent", 150, lambda doc: {
            "subtasks": [*doc["subtasks"], {"id": "s3", "title": "Coffee", "done": False}],
            "tags": [*doc["tags"], "urgent"]}),
        Edit(PHONE, "report", "one more pomodoro", 170,
             lambda doc: {"completedPomodoros": doc["completedPomodoros"] + 1}),
        Edit(LAPTOP, "report", "two more pomodoros", 140,
             lambda doc: {"completedPomodoros": doc["completedPomodoros"] + 2}),
        Edit(PHONE, "dentist", "in February rather", 165,
             set_(description="Ask for a date in February.")),
        Edit(TABLET, "dentist", "early in the morning", 120,
             set_(description="Ask for an early date in January.")),
        Edit(PHONE, "plants", "is done", 160, set_(status="done")),
        Edit(LAPTOP, "plants", "is done", 130, set_(status="done")),
        Edit(PHONE, "party", "twelve guests", 158, set_(guests=12)),
        Edit(LAPTOP, "party", "in the garden", 128, set_(place="in the garden")),
        Edit(TABLET, "party", "a band is found", 98, set_(music="the neighbours' band")),
        Edit(PHONE, "kitchen", "is the hall", 155, set_(title="Paint the hall")),
        Edit(LAPTOP, "kitchen", "is done by a painter", 125,
             set_(title="Have the kitchen painted")),
        Edit(PHONE, "holiday", "deleted", 150, None),
        Edit(LAPTOP, "holiday", "in August rather", 110,
             set_(description="To the sea, in August.")),
        Edit(PHONE, "bicycle", "is urgent", 145, set_(priority="high")),
        Edit(LAPTOP, "bicycle", "the light, too", 105,
             set_(description="The brake squeaks, and the light is broken.")),
        Edit(TABLET, "bicycle", "deleted", 95, None),
        Edit(PHONE, "receipt", "36.90 rather", 140, paid),
        Edit(LAPTOP, "receipt", "a faulty app changes the amount alone", 100, set_(amount=39.6)),
        Edit(PHONE, "passport", "created", 135, set_(**passport, title="Renew the passport")),
        Edit(TABLET, "passport", "created", 90, set_(**passport, title="New passport, and photos")),
    ]  # fmt: skip


def carry_out(edit: Edit, device: Replica, now: datetime) -> str:
    """Do it; returns the revision that it made."""
    if edit.make is None:
        return device.delete(edit.id, device.get(edit.id)["_rev"])
    known = _known(device, edit.id)
    about = {"updatedAt": _when(now, edit.minutes_ago), "deviceId": edit.device}
    if known.get("type") == "receipt":
        # The checksum covers these, too: whoever computes it does so when all is written.
        made = {**known, **about}
        return device.put({**made, **edit.make(made)})
    return device.put({**known, **edit.make(known), **about})


def _known(device: Replica, id: str) -> Doc:
    from couchmend.errors import NotFound

    try:
        return device.get(id)
    except NotFound:
        return {"_id": id}


def _when(now: datetime, minutes_ago: int) -> JSON:
    at = now.astimezone(UTC) - timedelta(minutes=minutes_ago)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def same_everywhere(devices: Sequence[Replica]) -> bool:
    """Whether all devices show the same documents in the same revisions."""
    from couchmend.replica.base import AllDocsQuery

    shown = [
        {row.id: row.rev for row in device.all_docs(AllDocsQuery()).rows} for device in devices
    ]
    return all(one == shown[0] for one in shown)
