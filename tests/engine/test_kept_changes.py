"""Changes of the configuration are in the journal, those that were refused too."""

from __future__ import annotations

from pathlib import Path

from couchmend.configuration import Configuration, load_all
from couchmend.engine.kept_changes import kept_in
from couchmend.events import Events
from couchmend.journal.opening import open_journal
from couchmend.journal.records import recorded_config_changes
from couchmend.reloading import Reloading


def test_they_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "couchmend.toml"
    file.write_text("")

    def load() -> Configuration:
        return load_all(config=file, environment={})

    journal = open_journal(f"sqlite:///{tmp_path}/journal.db")
    try:
        reloading = Reloading(
            load(),
            load=load,
            apply=lambda configuration: None,
            events=Events(),
            now=lambda: 5,
            keep=kept_in(journal),
        )
        file.write_text("[engine]\nconcurrency = 9\n")
        reloading.reload("ann")
        file.write_text("[engine]\nconcurrency = 0\n")
        reloading.reload("signal")
        with journal.read() as tx:
            found = recorded_config_changes(tx, limit=10)
        told = {(one.by, one.at, one.changes) for one in found}
        assert told == {("ann", 5, ("engine.concurrency was 4, is 9",)), ("signal", 5, ())}
        assert sorted(bool(one.refused) for one in found) == [False, True]
    finally:
        journal.close()
