"""`couchmend merge`, by hand and in a git repository."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import COMMAND, couchmend, couchmend_here, environment

BASE = '{\n\t"title": "Milk",\n\t"done": false,\n\t"tags": ["a"]\n}\n'
CURRENT = '{\n\t"title": "Oat milk",\n\t"done": false,\n\t"tags": ["a"]\n}\n'
OTHER = '{\n  "title": "Milk",\n  "done": true,\n  "tags": ["a", "b"]\n}'
RIVAL = '{\n  "title": "Soy milk",\n  "done": true,\n  "tags": ["a"]\n}'
MERGED = '{\n\t"title": "Oat milk",\n\t"done": true,\n\t"tags": ["a", "b"]\n}\n'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in (("base", BASE), ("current", CURRENT), ("other", OTHER), ("rival", RIVAL)):
        (tmp_path / f"{name}.json").write_bytes(text.encode())
    (tmp_path / "empty.json").write_bytes(b"")
    return tmp_path


def test_what_can_be_merged_is_written_as_current_is_laid_out(files: Path) -> None:
    done = couchmend_here("merge", "base.json", "current.json", "other.json", cwd=files)
    assert (done.returncode, done.stdout, done.stderr) == (0, MERGED, "")


def test_what_is_left_to_decide_is_told_and_exits_with_1(files: Path) -> None:
    done = couchmend_here("merge", "base.json", "current.json", "rival.json", cwd=files)
    assert done.returncode == 1
    assert done.stdout == MERGED.replace('["a", "b"]', '["a"]')
    assert done.stderr == (
        "current.json: title: both sides changed it, to different values: "
        '"Oat milk" or "Soy milk"\n'
    )


def test_decisions_for_programs(files: Path) -> None:
    done = couchmend_here("merge", "base.json", "current.json", "rival.json", "--json", cwd=files)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["unresolved"] == 1
    assert [(one["path"], one["kind"]) for one in told["decisions"]] == [
        ("/title", "conflict"),
        ("/done", "other"),
    ]
    assert told["value"]["done"] is True


def test_the_result_replaces_a_file(files: Path) -> None:
    current = files / "current.json"
    current.chmod(0o640)
    done = couchmend_here(
        "merge", "base.json", "current.json", "other.json", "-o", "current.json", cwd=files
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert current.read_bytes() == MERGED.encode()
    assert current.stat().st_mode & 0o777 == 0o640
    assert not list(files.glob(".*"))


def test_without_a_base_what_one_side_has_is_an_addition(files: Path) -> None:
    (files / "current.json").write_text('{"title": "Milk"}\n')
    (files / "other.json").write_text('{"done": true}\n')
    done = couchmend_here("merge", "empty.json", "current.json", "other.json", cwd=files)
    assert (done.returncode, done.stdout) == (0, '{"title": "Milk", "done": true}\n')


def test_a_policy_decides(files: Path) -> None:
    (files / "rules.toml").write_text(
        '[policies.tasks]\nmatch = {done = false}\n[policies.tasks.fields]\ntitle = "longest"\n'
        '[policies.other.fields]\ntitle = "other"\n'
    )
    asked = ("merge", "base.json", "current.json", "rival.json", "--policy", "rules.toml")
    matched = couchmend_here(*asked, cwd=files)
    assert (matched.returncode, json.loads(matched.stdout)["title"]) == (0, "Oat milk")
    named = couchmend_here(*asked, "--policy-name", "other", cwd=files)
    assert (named.returncode, json.loads(named.stdout)["title"]) == (0, "Soy milk")
    unknown = couchmend_here(*asked, "--policy-name", "othr", cwd=files)
    assert unknown.returncode == 2
    assert "othr" in unknown.stderr
    assert "did you mean" in unknown.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"a": 1,}', "JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"a": NaN}', "JSON"),
        (b"[" * 300 + b"]" * 300, "nested too deeply (up to 200 levels)"),
        (b"[" * 9000 + b"]" * 9000, "depth"),
        (b'{"in": {"a": 1, "a": 2}}', 'an object has "a" twice'),
        (b" \n", "it is empty"),
        (b'"' + b"x" * (32 << 20) + b'"', "is the limit"),
        (None, "cannot be read: No such file"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    files: Path, text: bytes | None, words: str
) -> None:
    if text is None:
        (files / "other.json").unlink()
    else:
        (files / "other.json").write_bytes(text)
    done = couchmend_here(
        "merge", "base.json", "current.json", "other.json", "-o", "current.json", cwd=files
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.startswith("couchmend: merge other.json: ")
    assert done.stderr.count("\n") == 1
    assert (files / "current.json").read_bytes() == CURRENT.encode()


def test_a_file_that_cannot_be_written_is_an_error(files: Path) -> None:
    done = couchmend_here(
        "merge", "base.json", "current.json", "other.json", "-o", "no/where.json", cwd=files
    )
    assert done.returncode == 2
    assert "no/where.json" in done.stderr


def test_a_folder_is_no_place_for_the_result(files: Path) -> None:
    for folder in (".", "/"):
        done = couchmend_here(
            "merge", "base.json", "current.json", "other.json", "-o", folder, cwd=files
        )
        assert done.returncode == 2
        assert done.stderr == f"couchmend: merge {folder}: it cannot be written: Is a directory\n"


def test_a_link_stays_one(files: Path) -> None:
    link = files / "link.json"
    link.symlink_to("current.json")
    done = couchmend_here(
        "merge", "base.json", "current.json", "other.json", "-o", "link.json", cwd=files
    )
    assert done.returncode == 0
    assert link.is_symlink()
    assert (files / "current.json").read_bytes() == MERGED.encode()


def test_what_is_no_file_is_written_to(files: Path) -> None:
    pipe = files / "pipe"
    os.mkfifo(pipe)
    reading = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    done = couchmend_here(
        "merge", "base.json", "current.json", "other.json", "-o", "pipe", cwd=files
    )
    assert done.returncode == 0
    assert reading.communicate(timeout=60)[0] == MERGED.encode()
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('[policies.tasks.fields]\ntitle = "other"\n', "name one with --policy-name: tasks"),
        ('[policy.tasks.fields]\ntitle = "other"\n', "one is [policies.NAME]"),
    ],
)
def test_policies_that_hold_for_nothing_are_no_policy(files: Path, text: str, hint: str) -> None:
    (files / "rules.toml").write_text(text)
    asked = ("merge", "base.json", "current.json", "other.json", "--policy", "rules.toml")
    done = couchmend_here(*asked, cwd=files)
    assert done.returncode == 2
    assert "rules.toml: it has no policy that is taken for any document" in done.stderr
    assert hint in done.stderr


def test_a_name_for_messages(files: Path) -> None:
    asked = ("merge", "base.json", "current.json", "rival.json", "--path", "lists/task.json")
    told = couchmend_here(*asked, cwd=files).stderr
    assert told.startswith("lists/task.json: title: both sides changed it")
    (files / "rival.json").write_text("{")
    told = couchmend_here(*asked, cwd=files).stderr
    assert told.startswith("couchmend: merge lists/task.json, the other version: it is not JSON")


def test_a_policy_name_needs_a_policy(files: Path) -> None:
    asked = ("merge", "base.json", "current.json", "other.json", "--policy-name", "x")
    assert "--policy" in couchmend_here(*asked, cwd=files).stderr


# --- git


class Repository:
    """A git repository that merges `*.json` with couchmend."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Somebody")
        self.git("config", "user.email", "somebody@example.org")
        driver = f"{shlex.join(COMMAND)} merge %O %A %B --output %A --path %P"
        self.git("config", "merge.couchmend.name", "JSON by its structure")
        self.git("config", "merge.couchmend.driver", driver)
        self.commit({".gitattributes": "*.json merge=couchmend\n"})

    def git(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=environment(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout + done.stderr

    def commit(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_bytes(text.encode())
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "a version")

    def branched(self, base: str | None, current: str, other: str) -> None:
        if base is not None:
            self.commit({"task.json": base})
        self.git("checkout", "-q", "-b", "topic")
        self.commit({"task.json": other})
        self.git("checkout", "-q", "main")
        self.commit({"task.json": current})

    def task(self) -> str:
        return (self.folder / "task.json").read_bytes().decode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.program("git")
def test_git_merges_what_it_cannot_by_lines(repository: Repository) -> None:
    other = OTHER.replace("  ", "\t") + "\n"
    repository.branched(BASE, CURRENT, other)
    repository.git("-c", "merge.couchmend.driver=git merge-file %A %O %B", "merge", "topic",
                   fails=True)  # fmt: skip
    repository.git("merge", "--abort")
    repository.git("merge", "-q", "--no-edit", "topic")
    assert repository.task() == MERGED
    assert repository.git("status", "--short") == ""


@pytest.mark.program("git")
def test_git_is_told_of_a_conflict(repository: Repository) -> None:
    repository.branched(BASE, CURRENT, RIVAL)
    said = repository.git("merge", "--no-edit", "topic", fails=True)
    assert "task.json: title: both sides changed it" in said
    assert "CONFLICT (content): Merge conflict in task.json" in said
    assert repository.git("status", "--short").startswith("UU task.json")
    assert json.loads(repository.task()) == {"title": "Oat milk", "done": True, "tags": ["a"]}


@pytest.mark.program("git")
def test_git_has_no_base_for_a_file_that_both_sides_added(repository: Repository) -> None:
    repository.branched(None, '{"title": "Milk"}\n', '{"done": true}\n')
    repository.git("merge", "-q", "--no-edit", "topic")
    assert repository.task() == '{"title": "Milk", "done": true}\n'


@pytest.mark.program("git")
def test_git_keeps_its_own_version_of_what_is_not_json(repository: Repository) -> None:
    repository.branched(BASE, "// mine\n{}\n", "// theirs\n{}\n")
    said = repository.git("merge", "--no-edit", "topic", fails=True)
    assert "task.json, the current version: it is not JSON" in said
    assert repository.git("status", "--short").startswith("UU task.json")
    assert repository.task() == "// mine\n{}\n"


def test_at_a_terminal_the_decisions_are_a_table(files: Path) -> None:
    program = "import pty, sys; sys.exit(pty.spawn([*sys.argv[1:]]) >> 8)"
    done = subprocess.run(
        [sys.executable, "-c", program, *COMMAND, "merge", "base.json", "current.json",
         "rival.json"],
        cwd=files, env=environment(TERM="xterm", COLUMNS="120"), capture_output=True, text=True,
        timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "to decide" in done.stdout
    assert "only other changed it" in done.stdout


def test_the_command_explains_itself() -> None:
    shown = couchmend("merge", "--help").stdout
    assert "BASE" in shown
    assert "--policy" in shown
