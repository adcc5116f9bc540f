"""What a state file belongs to: a model of a tenant, and a selection of its records: decisions only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import attrs

from planhat_async._convert import printable
from planhat_async.repositories import Repository


class StateError(ValueError):
    """A state file that cannot be used, or belongs to something else; the message says which and why."""


class OtherTokenError(StateError):
    """A state file that was written with another token."""


@attrs.frozen(kw_only=True)
class StateOwner:
    """What a state file belongs to."""

    work: str
    """What it is the state of, such as `a snapshot`."""
    model: str
    base_url: str
    tenant: str | None = None
    """The digest of the base URL and the token; `None` if the token is not known."""
    selection: Mapping[str, Any] = attrs.field(factory=dict)
    """The fields and filters that must stay the same, as JSON values."""

    @classmethod
    async def of(cls, repository: Repository[Any], *, work: str, selection: Mapping[str, Any] | None = None) -> Self:
        """The owner of a state of this repository's model.

        Raises:
            ValueError: The session's token is malformed.
            Exception: The function that returns the token failed.
        """
        session = repository.session
        tenant = await session.tenant_digest()
        return cls(
            work=work,
            model=repository.model.name,
            base_url=session.base_url,
            tenant=tenant,
            selection=selection or {},
        )

    def refuse_other(self, path: object, held: Mapping[str, Any], *, same_tenant: bool = False) -> None:
        """Refuse a state file of another owner.

        Args:
            path: The state file.
            held: Its owner, as `attrs.asdict` gives it.
            same_tenant: Whether a state that was written with another token is of this tenant nevertheless.

        Raises:
            StateError: The message names the differences.
            OtherTokenError: It was written with another token.
        """
        if held.get("work") != self.work:
            raise StateError(f"{path} is the state of {printable(str(held.get('work')))}, not of {self.work}")
        differences = list(self._differences(held))
        if differences:
            raise StateError(
                f"{path} is of another run: {'; '.join(differences)}. Put back what it was, or name another state"
            )
        tenants = (held.get("tenant"), self.tenant)
        if None not in tenants and tenants[0] != tenants[1] and not same_tenant:
            raise OtherTokenError(
                f"{path} was written with another token, perhaps for another tenant: name another state, or give "
                "--same-tenant (same_tenant=True) if only the token is new"
            )

    def _differences(self, held: Mapping[str, Any]) -> Iterator[str]:
        for name in ("model", "base_url"):
            if held.get(name) != getattr(self, name):
                yield f"{name} is {getattr(self, name)}, was {_shown(held.get(name))}"
        before = held.get("selection")
        before = before if isinstance(before, dict) else {}
        for name in sorted({*before, *self.selection}):
            if (old := before.get(name)) != (new := self.selection.get(name)):
                yield f"{name} are {_shown(new)}, were {_shown(old)}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        value = " ".join(f"{name}={one}" for name, one in value.items())
    elif isinstance(value, list):
        value = ",".join(map(str, value))
    return printable(str(value), 200) if value else "not given"
