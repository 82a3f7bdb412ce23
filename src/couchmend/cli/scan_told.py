"""What `couchmend scan` tells a person or a program."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from couchmend.cli import output
from couchmend.cli.exit_codes import exit_code
from couchmend.cli.scan_sample import differences, shown_sample
from couchmend.cli.scan_summary import Summary, of_list, summarised
from couchmend.core.document import Doc
from couchmend.errors import without_credentials

if TYPE_CHECKING:
    from couchmend.engine.finding.scan import Scanned, ScanReport
    from couchmend.engine.finding.targets import Target
    from couchmend.errors import CouchmendError

NEEDS_ATTENTION = 1


class Told:
    """What was found, told while it is found where that is asked for, and summed up.

    addresses: as they were given.
    """

    def __init__(
        self, addresses: Sequence[str], *, listed: bool, sample: int, as_json: bool
    ) -> None:
        self.addresses = addresses
        self.as_json = as_json
        self.reports: list[tuple[Target, ScanReport]] = []
        self.failures: list[tuple[str, str, CouchmendError]] = []
        self._listed = listed
        self._most = sample
        self._sample: list[tuple[bytes, Doc]] = []
        self._heading = ""

    @property
    def sample(self) -> list[Doc]:
        """The conflicts that are shown, the same ones each time."""
        return [one for _, one in self._sample]

    def conflict(self, target: Target, one: Scanned) -> None:
        """One more was found."""
        if self._listed:
            if self.as_json:
                output.line(as_json(target, one))
            else:
                if self._heading != target.url:
                    self._heading = target.url
                    output.text(target.url)
                output.text(of_list(one))
        if self._most:
            self._consider(target, one)

    def _consider(self, target: Target, one: Scanned) -> None:
        """Keep it if it is among those whose names' digests are the least: anybody draws the
        same ones."""
        name = f"{target.url}\0{one.document}".encode()
        drawn = hashlib.sha256(name).digest()
        if len(self._sample) == self._most and drawn > self._sample[-1][0]:
            return
        self._sample.append((drawn, {**as_json(target, one), "differences": differences(one)}))
        self._sample.sort(key=lambda pair: pair[0])
        del self._sample[self._most :]

    def scanned(self, target: Target, report: ScanReport) -> None:
        """A database is done, or as far as it could be."""
        self.reports.append((target, report))

    def failed(self, name: str, url: str, problem: CouchmendError) -> None:
        """A database, or all of a server, could not be scanned to the end."""
        self.failures.append((name, url, problem))
        problem.target = problem.target or url
        output.complain(str(problem))

    def nothing(self) -> None:
        """No address names a database."""
        where = ", ".join(map(without_credentials, self.addresses))
        output.complain(f"there is no database at {where}")

    def exit_code(self) -> int:
        """What a shell is told: that a database failed comes before that there are conflicts."""
        if self.failures:
            return max(exit_code(problem) for _, _, problem in self.failures)
        found = any(report.conflicts for _, report in self.reports)
        return NEEDS_ATTENTION if found else 0


def tell(told: Told) -> None:
    """Everything that is told in the end."""
    if told.as_json:
        output.line(summary_as_json(told))
        return
    for one in told.sample:
        output.raw(shown_sample(one))
    summary = Summary(
        told.addresses, [report for _, report in told.reports], [t for t, _ in told.reports]
    )
    output.raw(summarised(summary, failed=len(told.failures)))


def as_json(target: Target, one: Scanned) -> Doc:
    """A conflict for programs."""
    return {
        "database": target.database,
        "url": target.url,
        "id": one.document,
        "type": one.type,
        "severity": one.severity,
        "hidden": one.hidden,
        "leaves": one.leaves,
        "fields": list(one.fields),
        "devices": list(one.devices),
        "policy": one.policy,
        "reason": one.sentence,
    }


def summary_as_json(told: Told) -> Doc:
    """The sums for programs."""
    reports = [report for _, report in told.reports]
    shown: Doc = {
        "databases": [
            {
                "name": target.database,
                "url": target.url,
                "documents": report.documents,
                **_sums([report]),
                "unreadable": report.unreadable + report.unread,
                "complete": report.complete,
                "problems": [
                    {"id": one.document, "reason": one.sentence} for one in report.problems
                ],
            }
            for target, report in told.reports
        ],
        "documents": sum(report.documents for report in reports),
        **_sums(reports),
        "failed": [
            {"name": name, "url": url, "error": problem.message, "hint": problem.hint}
            for name, url, problem in told.failures
        ],
    }
    if told.sample:
        shown["sample"] = told.sample
    return shown


def _sums(reports: Sequence[ScanReport]) -> Doc:
    by_type, by_severity, by_field = Counter[str](), Counter[str](), Counter[str]()
    by_devices = Counter[tuple[str, str]]()
    for report in reports:
        by_type += report.by_type
        by_severity += report.by_severity
        by_field += report.by_field
        by_devices += report.by_devices
    return {
        "conflicts": sum(report.conflicts for report in reports),
        "hidden": sum(report.hidden for report in reports),
        "by_type": dict(by_type.most_common()),
        "by_severity": dict(by_severity.most_common()),
        "by_field": dict(by_field.most_common()),
        "by_devices": [
            {"devices": list(pair), "conflicts": count} for pair, count in by_devices.most_common()
        ],
    }
