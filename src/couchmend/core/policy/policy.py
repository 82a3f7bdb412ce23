"""Which rule holds for which path of which documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final, get_args

from couchmend.core.document import JSON
from couchmend.core.paths import Path
from couchmend.core.policy.data import PolicyError, Reader
from couchmend.core.policy.metadata import (
    CHECKSUM,
    DEVICE_FIELDS,
    TIMESTAMP_FIELDS,
    Checksum,
    device_of,
    first_present,
    sealed,
)
from couchmend.core.policy.parts import (
    Attachments,
    Auto,
    DeadBranches,
    FieldClass,
    NoAncestor,
    checksum_data,
    read_auto,
    read_checksum,
    read_match,
    read_severity,
)
from couchmend.core.policy.patterns import Pattern, Patterns
from couchmend.core.policy.resolvers import Resolver
from couchmend.core.policy.rules import (
    Custom,
    Rule,
    metadata_rules,
    not_idempotent,
    reach,
    read_custom,
    read_rules,
)
from couchmend.core.policy.timestamps import instant, is_suspect
from couchmend.core.policy.versions import Version
from couchmend.core.selector import Selector
from couchmend.core.values import ABSENT, Value, canonical

__all__ = ["DEFAULT", "PLAIN", "Policy", "Rule", "choose"]

IDENTITY_KEYS: Final = ("_id", "id", "uuid", "key")
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Policy:
    """Rules for the merge of documents, and for which documents; it does not change.

    Two are equal that say the same of the same documents under one name.
    """

    name: str
    fields: Mapping[str, JSON]
    identity_keys: tuple[str, ...]
    timestamp_fields: tuple[str, ...]
    device_fields: tuple[str, ...]
    ignore_fields: tuple[str, ...]
    checksum: Checksum | None
    schema_version_field: str | None
    severity: Mapping[str, tuple[str, ...]]
    auto: Auto
    no_ancestor: NoAncestor
    attachments: Attachments
    dead_branches: DeadBranches
    clock_skew_seconds: float
    match: Mapping[str, JSON] | None
    ids: tuple[str, ...]
    resolvers: Mapping[str, Resolver]

    rules: Patterns[Rule] = field(init=False)
    """What holds for each path."""
    severities: Patterns[FieldClass] = field(init=False)
    """The class of each path, where it has one."""
    digest: str = field(init=False)
    """SHA-256 over everything that bears on a merge or on what is done with it."""
    _selector: Selector | None = field(init=False)
    _timestamps: tuple[Path, ...] = field(init=False)
    _devices: tuple[Path, ...] = field(init=False)
    _schema_version: Path = field(init=False)
    _all_idempotent: bool = field(init=False)

    def __init__(
        self,
        *,
        name: str = "default",
        fields: Mapping[str, JSON] = _NOTHING,
        identity_keys: Sequence[str] = IDENTITY_KEYS,
        timestamp_fields: Sequence[str] = TIMESTAMP_FIELDS,
        device_fields: Sequence[str] = DEVICE_FIELDS,
        ignore_fields: Sequence[str] = (),
        checksum: Checksum | Mapping[str, JSON] | None = None,
        schema_version_field: str | None = None,
        severity: Mapping[str, Sequence[str]] = _NOTHING,
        auto: Auto | Mapping[str, JSON] = _NOTHING,
        no_ancestor: str = "manual",
        attachments: str = "manual",
        dead_branches: str = "ignore",
        clock_skew_seconds: float = 300,
        match: Mapping[str, JSON] | None = None,
        ids: Sequence[str] = (),
        resolvers: Mapping[str, Custom] = _NOTHING,
    ) -> None:
        """A policy from plain data.

        fields: by pattern the name of a resolver, or `{"prefer": [values]}`.
        identity_keys: members by which the elements of a list know each other.
        timestamp_fields, device_fields: which members say when and where a version was written,
            the first present counts; ignore_fields: others that say nothing of its content.
        checksum: `{field, algorithm, over, form}`.
        severity: patterns by class; auto: see `Auto`.  What is not given is as by default.
        no_ancestor: how versions without an exact base may be merged automatically.
        match: a Mango selector; ids: patterns of ids like `task-*`.
        resolvers: those of one's own, by name.

        Raises:
            PolicyError: all that is wrong with it.
        """
        found = _read(
            Reader(("policies", name)),
            {
                "name": name,
                "fields": fields,
                "identity_keys": identity_keys,
                "timestamp_fields": timestamp_fields,
                "device_fields": device_fields,
                "ignore_fields": ignore_fields,
                "checksum": checksum,
                "schema_version_field": schema_version_field,
                "severity": severity,
                "auto": auto,
                "no_ancestor": no_ancestor,
                "attachments": attachments,
                "dead_branches": dead_branches,
                "clock_skew_seconds": clock_skew_seconds,
                "match": match,
                "ids": ids,
                "resolvers": resolvers,
            },
        )
        for key, value in found.items():
            object.__setattr__(self, key, value)
        digest = hashlib.sha256(canonical(self._effect())).hexdigest()
        object.__setattr__(self, "digest", digest)

    # --- plain data

    @classmethod
    def from_data(
        cls,
        data: Mapping[str, JSON],
        *,
        name: str = "default",
        resolvers: Mapping[str, Custom] = _NOTHING,
    ) -> Policy:
        """A policy from a table, as configuration files have it.

        Raises:
            PolicyError: all that is wrong with it, keys that do not exist included.
        """
        reader = Reader(("policies", name))
        given = reader.table((), data, DATA_KEYS)
        try:
            made = cls(name=name, resolvers=resolvers, **given)
        except PolicyError as problem:
            raise PolicyError([*reader.problems, *problem.problems]) from None
        reader.finish()
        return made

    def to_data(self) -> dict[str, JSON]:
        """The policy as a table, without what is as by default."""
        every = self._data()
        usual = DEFAULT._data()
        return {key: value for key, value in every.items() if value != usual[key]}

    def _data(self) -> dict[str, JSON]:
        return {
            "match": None if self.match is None else dict(self.match),
            "ids": list(self.ids),
            "fields": dict(self.fields),
            "identity_keys": list(self.identity_keys),
            "timestamp_fields": list(self.timestamp_fields),
            "device_fields": list(self.device_fields),
            "ignore_fields": list(self.ignore_fields),
            "checksum": None if self.checksum is None else checksum_data(self.checksum),
            "schema_version_field": self.schema_version_field,
            "severity": {name: list(texts) for name, texts in self.severity.items()},
            "auto": self.auto.to_data(),
            "no_ancestor": self.no_ancestor,
            "attachments": self.attachments,
            "dead_branches": self.dead_branches,
            "clock_skew_seconds": self.clock_skew_seconds,
        }

    def _effect(self) -> dict[str, JSON]:
        every = self._data()
        del every["match"], every["ids"]
        return every

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        return (
            self.name == other.name
            and self.digest == other.digest
            and (self.match, self.ids) == (other.match, other.ids)
            and self.resolvers == other.resolvers
        )

    def __hash__(self) -> int:
        return hash((self.name, self.digest))

    def __repr__(self) -> str:
        said = "".join(f", {key}={value!r}" for key, value in self.to_data().items())
        said = said if len(said) <= 120 else f"{said[:119]}…"
        return f"Policy(name={self.name!r}{said})"

    # --- what it says

    def matches(self, doc: Mapping[str, JSON]) -> bool:
        """Whether it is for a document, with its `_id`: one that both `match` and `ids` take,
        where it has them; without either, any."""
        if self._selector is not None and not self._selector.matches(doc):
            return False
        id = doc.get("_id", "")
        return not self.ids or any(fnmatchcase(id, pattern) for pattern in self.ids)

    def version(self, name: str, body: Value) -> Version:
        """A version of a document, with when and where it says it was written."""
        written = instant(first_present(body, self._timestamps))
        return Version(name, body, written, device_of(first_present(body, self._devices)))

    def schema_version(self, body: Value) -> Value:
        """What a body says of its schema's version."""
        return first_present(body, [self._schema_version]) if self._schema_version else ABSENT

    def severity_of(self, path: Path) -> FieldClass:
        """How weighty a path is."""
        return self.severities.at(path) or "other"

    def is_suspect(self, version: Version, now: int) -> bool:
        """Whether a version says that it was written later than a clock that is right can say,
        `now` being in microseconds since 1970."""
        if version.timestamp is None:
            return False
        return is_suspect(version.timestamp, now, self.clock_skew_seconds)

    def sealed(self, body: Value) -> Value:
        """A merged body with the right checksum, where the policy has one and it does too."""
        if self.checksum is None:
            return body
        rule = self.rules.at(self.checksum.field)
        return sealed(body, self.checksum) if rule and rule.resolver is CHECKSUM else body

    @property
    def is_idempotent(self) -> bool:
        """Whether all of its resolvers are: merging a version twice is merging it once."""
        return self._all_idempotent

    def uses_non_idempotent(self, body: Value) -> list[tuple[Path, str]]:
        """The paths of a body that are given to a resolver which is not idempotent, each with
        its name."""
        return [] if self._all_idempotent else list(not_idempotent(self.rules, body))


def _read(reader: Reader, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a policy is made of.

    Raises:
        PolicyError: all that is wrong with it.
    """
    lists = ("identity_keys", "timestamp_fields", "device_fields", "ignore_fields", "ids")
    found = {"name": given["name"], **{key: reader.texts((key,), given[key]) for key in lists}}
    for key, kind in (
        ("no_ancestor", NoAncestor),
        ("attachments", Attachments),
        ("dead_branches", DeadBranches),
    ):
        choices = get_args(kind)
        found[key] = reader.choice((key,), given[key], choices, choices[0])
    found["match"], found["_selector"] = read_match(reader, given["match"])
    found["auto"] = read_auto(reader, given["auto"])
    key = "clock_skew_seconds"
    found[key] = reader.seconds((key,), given[key], 300)
    key = "schema_version_field"
    found[key] = where = given[key]
    found["_schema_version"] = () if where is None else reader.path((key,), where)

    checksum = found["checksum"] = read_checksum(reader, given["checksum"])
    patterns = {key: reader.patterns((key,), found[key]) for key in lists[1:4]}
    found["_timestamps"], found["_devices"] = (
        tuple(pattern.names for pattern in patterns[key] if pattern.names)
        for key in ("timestamp_fields", "device_fields")
    )
    own = found["resolvers"] = read_custom(reader, given["resolvers"])
    about = metadata_rules(checksum, patterns)
    found["fields"], rules = read_rules(reader, given["fields"], own, about)
    severity = found["severity"] = MappingProxyType(read_severity(reader, given["severity"]))
    reader.finish()
    found["rules"] = Patterns(rules, reach)
    found["severities"] = Patterns(
        {Pattern.parse(text): weight for weight, texts in severity.items() for text in texts}
    )
    found["_all_idempotent"] = all(rule.resolver.idempotent for rule in rules.values())
    return found


def choose(policies: Iterable[Policy], doc: Mapping[str, JSON]) -> Policy:
    """The policy for a document, with its `_id`: the first that matches; the one named `default`
    stands at the end, wherever it is given, and where none is given it is as by default."""
    default = DEFAULT
    for policy in policies:
        if policy.name == "default":
            default = policy
        elif policy.matches(doc):
            return policy
    return default


DATA_KEYS: Final = (
    "match", "ids", "fields", "identity_keys", "timestamp_fields", "device_fields",
    "ignore_fields", "checksum", "schema_version_field", "severity", "auto", "no_ancestor",
    "attachments", "dead_branches", "clock_skew_seconds",
)  # fmt: skip
"""What a policy's table may hold."""

DEFAULT: Final = Policy()
"""What holds where nothing else is said."""
PLAIN: Final = Policy(name="plain", timestamp_fields=(), device_fields=())
"""Every member alike: none is metadata."""
