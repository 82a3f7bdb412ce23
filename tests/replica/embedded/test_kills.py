"""`kill -9` at any moment loses nothing that was answered, and leaves a sound file."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from couchmend.core.document import Doc
from couchmend.replica.base import Found, Written
from couchmend.replica.embedded import EmbeddedReplica


def work(path: Path, answers: int, seed: int) -> None:
    """Write for ever, and tell through the pipe `answers` what has been answered."""
    dice = random.Random(seed)
    with EmbeddedReplica.open(path) as replica:
        while True:
            match dice.randrange(10):
                case 0:
                    replica.compact()
                case 1 | 2:
                    name, content = f"blob{dice.randrange(9)}", os.urandom(dice.randrange(400_000))
                    id = f"att-{seed}-{dice.randrange(10**9)}"
                    rev = replica.put_attachment(id, name, content, "x/x")
                    tell(answers, id, rev)
                case 3 | 4 | 5:
                    docs: list[Doc] = [
                        {
                            "_id": f"shared-{dice.randrange(50)}",
                            "_revisions": {
                                "start": 2,
                                "ids": [f"{dice.randrange(16**8):08x}", "a"],
                            },
                            "n": n,
                        }
                        for n in range(dice.randrange(1, 40))
                    ]
                    replica.bulk_docs(docs, new_edits=False)
                    for doc in docs:
                        tell(answers, doc["_id"], f"2-{doc['_revisions']['ids'][0]}")
                case _:
                    rows = replica.bulk_docs(
                        [
                            {"_id": f"new-{seed}-{dice.randrange(10**9)}", "text": "x" * 200}
                            for _ in range(dice.randrange(1, 60))
                        ]
                    )
                    for row in rows:
                        assert isinstance(row, Written)
                        tell(answers, row.id, row.rev)


def tell(answers: int, id: str, rev: str) -> None:
    os.write(answers, f"{id} {rev}\n".encode())


def killed(path: Path, seed: int) -> list[tuple[str, str]]:
    """One child that works until it is killed; returns what it was answered."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            work(path, writing, seed)
        finally:
            os._exit(1)
    os.close(writing)
    answered = b""
    deadline = time.monotonic() + random.Random(seed).uniform(0.004, 0.08)
    os.set_blocking(reading, False)
    try:
        while time.monotonic() < deadline:
            try:
                answered += os.read(reading, 1 << 16)
            except BlockingIOError:
                time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child ended by itself"
        while chunk := os.read(reading, 1 << 16):
            answered += chunk
    finally:
        os.close(reading)
    lines = answered.decode().split("\n")[:-1]
    return [(id, rev) for id, rev in (line.split() for line in lines)]


def survives(path: Path, times: int) -> tuple[int, int]:
    kept: dict[str, set[str]] = {}
    for n in range(times):
        for id, rev in killed(path, n):
            kept.setdefault(id, set()).add(rev)
        with EmbeddedReplica.open(path) as replica:
            if n % 20 == 19 or n == times - 1:
                assert replica.check() == []
            lacking = replica.revs_diff({id: sorted(revs) for id, revs in kept.items()})
            assert not lacking
    with EmbeddedReplica.open(path) as replica:
        for id, revs in kept.items():
            assert all(
                isinstance(outcome, Found) for outcome in replica.open_revs(id, sorted(revs))
            )
            if id.startswith("att-"):
                name = next(iter(replica.get(id)["_attachments"]))
                attachment = replica.attachment(id, name)
                assert len(attachment.read()) == attachment.length
    return times, sum(map(len, kept.values()))


def test_hundreds_of_kills(path: Path) -> None:
    kills, answered = survives(path, 200)
    assert answered > kills
    print(f"{kills} kills survived, {answered} answered revisions kept")  # noqa: T201


@pytest.mark.long
def test_thousands_of_kills(path: Path) -> None:
    kills, answered = survives(path, 2000)
    assert answered > kills
    print(f"{kills} kills survived, {answered} answered revisions kept")  # noqa: T201
