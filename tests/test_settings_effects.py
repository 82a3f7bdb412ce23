"""Settings of servers that would change nothing are refused, and what to do is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchmend.errors import UsageError
from couchmend.settings import load

SECURE = 'url = "https://host"\n'
PLAIN = 'url = "http://host"\n'
USER = 'user = "ann"\npassword_file = "p"\n'
TOKEN = 'token_file = "t"\n'
CERTIFICATE = 'client_certificate = "c"\n'
KEY = 'client_key = "k"\n'


def loaded(folder: Path, text: str) -> int:
    """How many servers there are then."""
    file = folder / "couchmend.toml"
    file.write_text("".join(f"[[servers]]\n{entry}" for entry in text.split("---")))
    return len(load(config=file, environment={}).servers)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (SECURE + KEY, 3, ["servers[0].client_key", "client_certificate"]),
        (PLAIN + 'ca_file = "a"\n', 3, ["servers[0].ca_file", "https://"]),
        (PLAIN + CERTIFICATE, 3, ["servers[0].client_certificate", "https://"]),
        (PLAIN + CERTIFICATE + KEY, 4, ["servers[0].client_key", "https://"]),
        (
            SECURE + USER + TOKEN + 'authentication = "cookie"\n',
            5,
            ["servers[0].token_file", '"cookie" takes no token'],
        ),
        (SECURE + TOKEN + 'authentication = "basic"\n', 3, ["servers[0].token_file", '"basic"']),
        (SECURE + USER + TOKEN, 5, ["servers[0].token_file", "user and password_file"]),
        (SECURE + TOKEN + 'user = "ann"\n', 3, ["servers[0].token_file", "user"]),
        (SECURE + USER + TOKEN + 'authentication = "bearer"\n', 3, ["servers[0].user", '"bearer"']),
        (SECURE + "longest_wait_seconds = 301\n", 3, ["longest_wait_seconds", "retry_seconds"]),
        (f"{SECURE}---{PLAIN}---{SECURE}", 6, ["servers[2].url", "servers[0]", "one entry"]),
        (f"{SECURE}---url = 'HTTPS://Host:443/'", 4, ["servers[1].url", "servers[0]"]),
        ("url='http://a/b'\n---url='http://a:80/b/'", 4, ["servers[1].url", "servers[0]"]),
    ],
)
def test_what_has_no_effect(tmp_path: Path, text: str, line: int, told: list[str]) -> None:
    with pytest.raises(UsageError) as refusal:
        loaded(tmp_path, text)
    assert f"couchmend.toml:{line}: " in refusal.value.message
    for words in [*told, "has no effect"]:
        assert words in refusal.value.message


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (SECURE + CERTIFICATE + KEY, 1),
        (SECURE + CERTIFICATE + 'ca_file = "a"\n', 1),
        (SECURE + USER + 'authentication = "cookie"\n', 1),
        (SECURE + USER, 1),
        (SECURE + TOKEN + 'authentication = "bearer"\n', 1),
        (SECURE + TOKEN, 1),
        (SECURE + "longest_wait_seconds = 400\nretry_seconds = 400\n", 1),
        (SECURE + "retry_seconds = 5\nattempts = 1\n", 1),
        (f"{SECURE}---{PLAIN}---url = 'https://host:444'\n---url = 'https://host/a'\n", 4),
    ],
)
def test_what_has_an_effect(tmp_path: Path, text: str, number: int) -> None:
    assert loaded(tmp_path, text) == number


def test_what_is_no_server_is_told_as_that(tmp_path: Path) -> None:
    """Whatever else is wrong, there is an error for it and no failure."""
    for text in ("user = 'ann'\n", "url = 3\n", "url = 'host'\nclient_key = 'k'\n"):
        with pytest.raises(UsageError) as refusal:
            loaded(tmp_path, text)
        assert "servers[0]" in refusal.value.message
