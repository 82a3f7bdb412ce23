"""A server that lies: a proxy for tests, put before any real HTTP server.

>>> with LyingProxy(server.url) as proxy:
...     proxy.lie(Close(at=100), on=Match("GET", "/_changes", nth=1))   # cut after 100 bytes
...     proxy.lie(Reset(), on=Match("POST", "/_bulk_docs"))     # written, but the answer is lost
...     proxy.lie(too_many_requests("2"), on=Match(nth=range(3, 6)))    # the third to the fifth
...     proxy.lie(Json(row_twice(0)), Framed("chunked"), Drip())        # several at once
"""

from tests.lying.answer import Answer, Place, Stop
from tests.lying.distortions import (
    Change,
    changed_row,
    exchanged,
    having,
    row_twice,
    rows_swapped,
    said,
    without,
    without_row,
)
from tests.lying.lies import (
    HTML,
    Bytes,
    Close,
    Drip,
    Framed,
    Gzip,
    Header,
    Idle,
    Json,
    Length,
    Lie,
    Lines,
    Reset,
    Say,
    Stall,
    Truncated,
    elsewhere,
    failure,
    html,
    too_many_requests,
)
from tests.lying.proxy import KEPT_BYTES, LyingProxy, Match, Seen
from tests.lying.wire import Framing

__all__ = [
    "HTML",
    "KEPT_BYTES",
    "Answer",
    "Bytes",
    "Change",
    "Close",
    "Drip",
    "Framed",
    "Framing",
    "Gzip",
    "Header",
    "Idle",
    "Json",
    "Length",
    "Lie",
    "Lines",
    "LyingProxy",
    "Match",
    "Place",
    "Reset",
    "Say",
    "Seen",
    "Stall",
    "Stop",
    "Truncated",
    "changed_row",
    "elsewhere",
    "exchanged",
    "failure",
    "having",
    "html",
    "row_twice",
    "rows_swapped",
    "said",
    "too_many_requests",
    "without",
    "without_row",
]
