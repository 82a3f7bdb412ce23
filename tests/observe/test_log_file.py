"""A log file that is moved away, cut off, or cannot be written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from couchmend.observe.log_file import LogFile


@pytest.fixture
def told() -> list[str]:
    return []


def test_it_follows_its_path(tmp_path: Path, told: list[str]) -> None:
    path = tmp_path / "conflict.log"
    log = LogFile(path, told.append)
    log.write("one")
    path.rename(tmp_path / "conflict.log.1")
    log.write("two")
    path.rename(tmp_path / "conflict.log.2")
    path.touch(mode=0o640)  # logrotate's `create`
    log.write("three")
    log.close()
    assert (tmp_path / "conflict.log.1").read_text() == "one\n"
    assert (tmp_path / "conflict.log.2").read_text() == "two\n"
    assert path.read_text() == "three\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert told == []


def test_what_was_there_stays_and_what_is_cut_off_grows_again(
    tmp_path: Path, told: list[str]
) -> None:
    path = tmp_path / "conflict.log"
    path.write_text("before\n")
    log = LogFile(path, told.append)
    log.write("one")
    assert path.read_text() == "before\none\n"
    os.truncate(path, 0)  # logrotate's `copytruncate`
    log.write("two")
    log.close()
    assert path.read_bytes() == b"two\n"


def test_no_line_is_lost_or_doubled_while_it_is_moved_under_load(
    tmp_path: Path, told: list[str]
) -> None:
    path = tmp_path / "conflict.log"
    log = LogFile(path, told.append)
    writers, lines = 4, 2000

    def write(writer: int) -> None:
        for number in range(lines):
            log.write(f"{writer} {number} " + "x" * 200)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    moved = 0
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            moved += 1
            path.rename(tmp_path / f"conflict.log.{moved}")
    for thread in threads:
        thread.join()
    log.close()
    found = [line.split() for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert moved > 3
    assert all(len(parts) == 3 and len(parts[2]) == 200 for parts in found)
    assert sorted((int(writer), int(number)) for writer, number, _ in found) == [
        (writer, number) for writer in range(writers) for number in range(lines)
    ]
    assert told == []


def test_what_cannot_be_written_is_told_once_and_stops_nothing(
    tmp_path: Path, told: list[str]
) -> None:
    folder = tmp_path / "logs"
    log = LogFile(folder / "conflict.log", told.append)
    log.write("one")
    log.write("two")
    folder.mkdir()
    log.write("three")
    log.close()
    assert (folder / "conflict.log").read_text() == "three\n"
    assert told == [
        f"the log {folder}/conflict.log cannot be written: No such file or directory",
        f"the log {folder}/conflict.log is written again; lost lines: 2",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(told: list[str]) -> None:
    log = LogFile(Path("/dev/full"), told.append)
    log.write("one")
    log.write("two")
    log.close()
    assert told == ["the log /dev/full cannot be written: No space left on device"]


def test_opened_again_on_request(tmp_path: Path, told: list[str]) -> None:
    log = LogFile(tmp_path / "conflict.log", told.append)
    log.write("one")
    log.reopen()
    log.write("two")
    log.close()
    assert (tmp_path / "conflict.log").read_text() == "one\ntwo\n"
