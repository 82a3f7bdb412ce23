"""JSON values as Erlang writes them, which is how CouchDB quotes them in error messages."""

from __future__ import annotations

from couchmend.core.document import JSON


def erlang_text(value: JSON, *, readable: bool = False) -> str:
    """`value` in Erlang's syntax: strings as lists of bytes, or `readable` where they are ASCII."""
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is str:
        if readable and value.isascii() and value.isprintable():
            return f'<<"{value}">>'
        return f"<<{','.join(str(byte) for byte in value.encode())}>>"
    if isinstance(value, dict):
        members = (
            f"{{{erlang_text(name, readable=readable)},{erlang_text(member, readable=readable)}}}"
            for name, member in value.items()
        )
        return f"{{[{','.join(members)}]}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(erlang_text(item, readable=readable) for item in value)}]"
    if type(value) is float:
        mantissa, _, exponent = repr(value).partition("e")
        if exponent:
            mantissa += "" if "." in mantissa else ".0"
            return f"{mantissa}e{int(exponent)}"
    return str(value)
