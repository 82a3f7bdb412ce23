"""What hangs below a design document.  All of it is JavaScript, which is not run here."""

from __future__ import annotations

from couchmend.core.document import DESIGN
from couchmend.errors import Unsupported
from couchmend.replica.http_face.calls import Action, Answer, Call, Endpoint, take_json

FUNCTIONS = frozenset(
    {
        "_info",
        "_list",
        "_nouveau",
        "_nouveau_info",
        "_rewrite",
        "_search",
        "_search_disk_size",
        "_search_info",
        "_show",
        "_update",
        "_view",
    }
)


def refuse(call: Call) -> Answer:
    """`/db/_design/name/_view/…` and its like: 404 without the design document, else 501."""
    name, function = call.args
    call.replica.get(DESIGN + name)
    raise Unsupported(
        f"{function} needs server-side JavaScript, which is not run here; _find answers queries"
    )


FUNCTION = Endpoint(
    {
        "GET": Action(refuse),
        "POST": Action(refuse, intake=take_json),
        "PUT": Action(refuse, intake=take_json),
        "DELETE": Action(refuse),
    },
    "GET,HEAD,POST",
)
