"""What a command does, in the log file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from couchmend.events import Events
    from couchmend.settings import Logs


@contextmanager
def logged(events: Events, settings: Logs) -> Iterator[None]:
    """Write events to the log file, where one is configured.  What a command prints is for whoever
    called it, and has no log lines in it."""
    if settings.file is None:
        yield
        return
    from couchmend.observe.logs import Logs as OpenLogs

    with OpenLogs(settings) as logs:
        end = events.subscribe(logs.listen)
        try:
            yield
        finally:
            end()
