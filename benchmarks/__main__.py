"""`python -m benchmarks`: measure, print the table, and write it beside this file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import (
    couchdb,
    embedded,
    http_face,
    journal,
    machine,
    merging,
    replication,
    resolving,
    scanning,
    startup,
    sweeping,
)
from benchmarks.measuring import Row
from benchmarks.merges.cases import find, read
from benchmarks.merges.table import quality
from benchmarks.report import Report

HERE = Path(__file__).parent
GROUPS = {
    "startup": startup.measure,
    "merge": merging.measure,
    "embedded": embedded.measure,
    "http": http_face.measure,
    "scan": scanning.measure,
    "sweep": sweeping.measure,
    "resolve": resolving.measure,
    "journal": journal.measure,
}
QUIET = 0.1

OURS_SYNC = (
    "couchmend has every batch on disk before it answers: SQLite's write-ahead log with"
    " `synchronous = FULL`, an fsync a commit."
)
PEERS_SYNC = (
    "PouchDB never asks LevelDB to sync (its batches go to leveldown without `sync`, which is"
    " false by default).  LevelDB syncs its tables when it compacts; what was answered just"
    " before can be lost when the machine fails."
)
SERVER_SHARES = (
    "The server is on the same machine: what “others” took meanwhile is its share, and whatever"
    " a client spends the server lacks."
)
NOT_QUIET = (
    "**The machine was not quiet**; see what others took meanwhile.  The ratios still compare"
    " like with like; the rates are too low."
)


def main(arguments: list[str] | None = None) -> None:
    """Measure what the arguments say.  A run of a part, or a tiny one, leaves the results of
    the last whole one where they are, unless it is told where to write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="see only that everything runs")
    parser.add_argument("--only", choices=GROUPS, help="measure one group")
    parser.add_argument(
        "--couchdb", metavar="URL", help="measure client and replication with this server"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write the results there")
    chosen = parser.parse_args(arguments)
    if chosen.couchdb is not None:
        with_server = [
            couchdb.measure,
            scanning.measure_couchdb,
            sweeping.measure_couchdb,
            resolving.measure_couchdb,
            replication.measure,
        ]
        groups = [partial(measure, chosen.couchdb) for measure in with_server]
        report = run(groups, [SERVER_SHARES], tiny=chosen.tiny, alone=False)
        report = replace(report, versions={**report.versions, **couchdb.versions(chosen.couchdb)})
    else:
        names = list(GROUPS) if chosen.only is None else [chosen.only]
        remarks = [OURS_SYNC, PEERS_SYNC]
        report = run([GROUPS[name] for name in names], remarks, tiny=chosen.tiny)
    print(report.as_markdown())
    whole = not chosen.tiny and chosen.only is None
    folder = chosen.output or (HERE if whole else None)
    if folder is None:
        print("Nothing was written: this was not the whole run, and no --output was given.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if chosen.couchdb is None else "-couchdb"
    cases = None if suffix or chosen.tiny else find()
    merges = [] if cases is None else ["\n## Merge quality\n", *quality(list(read(cases))), ""]
    (folder / f"RESULTS{suffix}.md").write_text(report.as_markdown() + "\n".join(merges))
    text = json.dumps(report.as_json(), ensure_ascii=False, indent=1)
    (folder / f"results{suffix}.json").write_text(f"{text}\n")


def run(
    groups: Iterable[Callable[..., list[Row]]],
    notes: Iterable[str],
    *,
    tiny: bool,
    alone: bool = True,
) -> Report:
    """Measure these groups; the notes come after what is to be said of the run.

    alone: whether nothing but our own processes should take time meanwhile.
    """
    company = machine.Company()
    described, versions = machine.describe(), machine.versions()
    rows = [row for group in groups for row in group(tiny=tiny)]
    remarks = list(notes)
    others = company.others()
    if others is not None:
        described["others meanwhile"] = (
            f"{others:.2f} processors on average, for other programs and other machines of the host"
        )
        if others > QUIET and alone:
            remarks.insert(0, NOT_QUIET)
    if tiny:
        remarks.insert(0, "**A tiny run**: it shows that everything runs, its figures nothing.")
    return Report(rows, described, versions, remarks)


if __name__ == "__main__":
    main()
