"""A process that has imported everything and makes another of itself for each command: what is
killed is a real process, and begins in milliseconds.

Each line on its input is a command of couchmend as JSON; it answers with the number of the
process, and with that and the status when the process has ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cli.running import environment

ROOT = Path(__file__).parent.parent.parent


class Zygote:
    """Begins processes of couchmend; see `zygote`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._ended: dict[int, int] = {}

    def begin(self, *command: str) -> int:
        """Begin one; its number."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return int(self._next("began")[0])

    def wait(self, pid: int) -> int:
        """Wait for its end; its status, negative for a signal."""
        while pid not in self._ended:
            ended, status = self._next("ended")
            self._ended[ended] = status
        return self._ended.pop(pid)

    def run(self, *command: str) -> int:
        """Begin one and wait for its end."""
        return self.wait(self.begin(*command))

    def _next(self, wanted: str) -> list[int]:
        numbers: list[int]
        assert self._process.stdout is not None
        while True:
            line = self._process.stdout.readline()
            assert line, "the zygote has ended"
            what, *numbers = json.loads(line)
            if what == wanted:
                return numbers
            assert what == "ended"
            self._ended[numbers[0]] = numbers[1]


@contextlib.contextmanager
def zygote(folder: Path) -> Iterator[Zygote]:
    """One whose processes work in a folder."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.invariants.zygote"],
        cwd=folder,
        env=environment(HOME=str(folder)) | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Zygote(process)
        finally:
            process.kill()


def main() -> None:
    """Answer commands until the input ends."""
    from couchmend.cli import run

    for name in ("engine.engine", "replica.couch", "replica.embedded", "replica.http_face.server"):
        importlib.import_module(f"couchmend.{name}")
    given = b""
    waking, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([0, waking], [], [])
        if waking in ready:
            os.read(waking, 1024)
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    _say("ended", ended[0], os.waitstatus_to_exitcode(ended[1]))
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, given = (given + read).split(b"\n")
            for line in lines:
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.dup2(2, 1)
                    os._exit(run(json.loads(line)))
                _say("began", pid)


def _say(*what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
