"""Which policy holds for which document."""

from __future__ import annotations

from collections.abc import Iterable

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.policy.policy import Policy
from couchmend.policies import Policies


class Choosing:
    """Chooses a policy for each document of a database."""

    def __init__(
        self, policies: Policies | Policy | None = None, names: Iterable[str] | None = None
    ) -> None:
        """policies: those of a configuration file, or one for all documents.
        names: of those to choose from, in this order; None for all that say what they match.

        Raises:
            UsageError: there is no policy of a name.
        """
        self._policies = policies if isinstance(policies, Policies) else Policies()
        self._one = policies if isinstance(policies, Policy) else None
        self._names = None if names is None else tuple(names)
        for name in self._names or ():
            self._policies.named(name)

    @property
    def reports_dead_branches(self) -> bool:
        """Whether a policy counts possible deletions as conflicts."""
        among = [self._one] if self._one else [*self._policies, self._policies.default]
        return any(policy.dead_branches == "report" for policy in among)

    def policy_for(self, doc: ConflictedDocument) -> Policy:
        """The policy for a document, chosen by the best of its versions that can be read."""
        if self._one is not None:
            return self._one
        body = doc.bodies[doc.live[0]]
        return self._policies.choose({**body, "_id": doc.id}, self._names)
