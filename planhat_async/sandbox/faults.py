"""Faults, and the calls that they apply to: chosen by rate, by number or by a condition, under a seed.

Each fault in `KINDS` has a name, and many have an amount: seconds, rows or bytes. The text form of a fault is its name,
then `:amount`, then `=rate` or `@numbers`::

    reset_after=0.05            one call in twenty, drawn under the seed
    rows_206:3@1+4              the first and the fourth bulk upsert; three rows of each
    http_503                    every call

Each fault counts the calls that it fits, from 1: `rows_206@1` applies to the first bulk upsert, even if other calls
came before it. A call has at most one fault. Faults at rate 1 come first; the others share one draw, so that each
applies to exactly its share of calls. The same calls in the same order have the same faults.

`refuse` is decided when the call before it arrives and takes effect once that is answered; among overlapping calls it
may apply to a later one. While the sandbox does not listen, further calls are refused too. Without a rate or number,
calls that come after that time are reset.

The default caps of pages are above the default limit of a list, 500 tasks or tickets, and above 1 MiB: below that, a
client cannot tell a capped page from the end of a list.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TypeAlias

from attrs import define, field, frozen

from planhat_async.sandbox.messages import NO_FAULT, ApiRequest, AppliedFault


class Scope(Enum):
    """Which calls a fault fits."""

    ANY = "any call"
    BULK = "bulk upserts"
    LIST = "lists"

    def fits(self, request: ApiRequest) -> bool:
        """Whether the call is one of these."""
        if self is Scope.ANY:
            return True
        is_of_a_path = len([segment for segment in request.segments if segment]) == 1
        return is_of_a_path and request.method == ("PUT" if self is Scope.BULK else "GET")


@frozen
class Kind:
    """What a fault does."""

    what: str
    """Its effect as a client sees it, and whether the call is carried out."""
    scope: Scope = Scope.ANY
    """The calls that it fits."""
    amount: float | None = None
    """Its default amount; `None` if it takes no amount."""
    unit: str = ""
    """Of the amount."""


_LOST = "the connection is reset"
KINDS: dict[str, Kind] = {
    "refuse": Kind(
        "the sandbox does not listen: open connections are closed, new ones refused", amount=0.1, unit="seconds"
    ),
    "reset_before": Kind(f"{_LOST} before the body is read; not carried out"),
    "reset_after": Kind(f"{_LOST} instead of an answer; carried out"),
    "reset_during": Kind(f"{_LOST} in the middle of the answer; carried out"),
    "late": Kind(f"{_LOST}, and the call is carried out after that", amount=0.05, unit="seconds"),
    "slow": Kind("the answer comes in ten pieces, over some time; carried out", amount=1.0, unit="seconds"),
    "stall": Kind("the answer stops after its first half; carried out"),
    "http_429": Kind("429; not carried out"),
    "http_429_retry_after": Kind("429 with a Retry-After in seconds; not carried out", amount=1.0, unit="seconds"),
    "http_429_skewed": Kind(
        "429 with a Retry-After a second from now and a Date, both by a clock that is ahead; not carried out",
        amount=3600.0,
        unit="seconds",
    ),
    **{f"http_{status}": Kind(f"{status}; not carried out") for status in (408, 500, 502, 503, 504, 520)},
    **{f"http_{status}_after": Kind(f"{status}; carried out") for status in (500, 502, 503, 504, 520)},
    "error_200": Kind('200 with `{"error": ...}`; not carried out'),
    "html_page": Kind("502 with an HTML page, as proxies have them; not carried out"),
    "json_truncated": Kind("200 with half of the JSON; carried out"),
    "content_type_wrong": Kind("the right answer, labelled text/html; carried out"),
    "rows_206": Kind("206: some rows are refused, the others stored", Scope.BULK, 1, "rows"),
    "rows_400": Kind("400 with error arrays that blame some rows", Scope.BULK, 1, "rows"),
    "rows_403": Kind("403 with permissionErrors for some rows", Scope.BULK, 1, "rows"),
    "rows_dropped": Kind("some rows are neither stored nor mentioned", Scope.BULK, 1, "rows"),
    "page_rows": Kind("no more rows than this, even if the limit asks for more", Scope.LIST, 700, "rows"),
    "page_bytes": Kind("no more rows than fit in this, one at least", Scope.LIST, 1_500_000, "bytes"),
    "offset_ignored": Kind("the page is the first one", Scope.LIST),
    "sort_ignored": Kind("rows come in a fixed order that ignores `sort`", Scope.LIST),
}


def _frozen(calls: Iterable[int] | None) -> frozenset[int] | None:
    return None if calls is None else frozenset(calls)


@frozen
class Fault:
    """A fault that applies to some of the calls.

    Raises:
        ValueError: There is no fault of this name, the rate is invalid, or the fault takes no amount.
    """

    name: str
    """One of `KINDS`."""
    rate: float = 1.0
    """The share of the calls, from 0 to 1, that it applies to, of those that the other conditions leave."""
    calls: frozenset[int] | None = field(default=None, converter=_frozen)
    """The numbers of the calls it applies to, counted from 1 among those that it fits; None for any."""
    when: Callable[[ApiRequest], bool] | None = None
    """Whether it fits a call, given the request without its body."""
    amount: float | None = None
    """Seconds, rows or bytes, as in `KINDS`; None for the default."""

    def __attrs_post_init__(self) -> None:
        kind = kind_of(self.name)
        if not 0 <= self.rate <= 1:
            raise ValueError(f"{self.name}: a rate is from 0 to 1, not {self.rate:g}")
        if self.amount is not None and kind.amount is None:
            raise ValueError(f"{self.name} has no amount")
        self._require_valid_numbers(kind)
        if self.name == "refuse" and self.when is not None:
            raise ValueError("refuse has no condition: a refused call never arrives")

    def _require_valid_numbers(self, kind: Kind) -> None:
        if self.calls is not None and any(number < 1 for number in self.calls):
            raise ValueError(f"{self.name}: calls are counted from 1")
        if self.amount is None or self.name == "http_429_skewed":  # a clock may be behind
            return
        is_counted = kind.unit in {"rows", "bytes"}
        if self.amount < is_counted or (is_counted and self.amount != int(self.amount)):
            raise ValueError(f"{self.name}: {self.amount:g} is not a valid number of {kind.unit}")

    def fits(self, request: ApiRequest) -> bool:
        """Whether it may apply to the call, if its number and its rate agree."""
        return KINDS[self.name].scope.fits(request) and (self.when is None or self.when(request))


FaultsLike: TypeAlias = str | Iterable[Fault]


def kind_of(name: str) -> Kind:
    """The kind of fault that has this name; otherwise a ValueError that lists similar names."""
    if name in KINDS:
        return KINDS[name]
    near = difflib.get_close_matches(name, KINDS, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "planhat-async sandbox --list-faults lists them"
    raise ValueError(f"there is no fault {name!r}; {hint}")


def described() -> str:
    """A line for each fault: its name and default amount, the calls it fits, what a client sees."""
    lines = []
    for name, kind in KINDS.items():
        amount = "" if kind.amount is None else f":{kind.amount:g} {kind.unit}"
        lines.append(f"{name}{amount}  ({kind.scope.value})  {kind.what}")
    return "\n".join(lines)


_TEXT = re.compile(
    r"(?P<name>\w+)(?::(?P<amount>-?\d+(?:\.\d+)?))?(?:=(?P<rate>\d*\.?\d+)|@(?P<calls>\d+(?:\+\d+)*))?", re.ASCII
)


def parse(text: str) -> list[Fault]:
    """The faults in a text such as `reset_after=0.05,http_500@3`; ValueError if a part of it is not a fault."""
    return [_parsed(part.strip()) for part in text.split(",") if part.strip()]


def _parsed(part: str) -> Fault:
    found = _TEXT.fullmatch(part)
    if found is None:
        raise ValueError(f"a fault is NAME[:AMOUNT][=RATE or @NUMBER+NUMBER...], not {part!r}")
    amount, rate, calls = found["amount"], found["rate"], found["calls"]
    return Fault(
        found["name"],
        rate=float(rate or 1),
        calls=None if calls is None else map(int, calls.split("+")),
        amount=None if amount is None else float(amount),
    )


@define
class _Rule:
    """A fault, and the calls it has fitted so far."""

    fault: Fault
    n_calls: int = 0

    @property
    def is_certain(self) -> bool:
        return self.fault.rate == 1.0


class Faults:
    """Decides for each call which fault applies to it; the same calls under the same seed have the same faults.

    Raises:
        ValueError: A fault is invalid, or the rates add up to more than 1.
    """

    def __init__(self, faults: FaultsLike = (), *, seed: int = 0) -> None:
        given = parse(faults) if isinstance(faults, str) else faults
        # A refusal is decided before its call is known, so in each group it comes first.
        self._rules = sorted(map(_Rule, given), key=lambda rule: (not rule.is_certain, rule.fault.name != "refuse"))
        _require_shares(rule.fault for rule in self._rules)
        self._random = random.Random(seed)  # noqa: S311  # needs a seed, not secrecy
        self._draw = self._random.random()

    def apply(self, request: ApiRequest) -> AppliedFault:
        """The fault that applies to the call that arrives; `NO_FAULT` if none does."""
        fitting = [rule for rule in self._rules if rule.fault.fits(request)]
        for rule in fitting:
            rule.n_calls += 1
        applied = self._due(fitting, ahead=0)
        self._draw = self._random.random()
        return applied

    def refusal(self) -> float | None:
        """Seconds of refusal if the next call is to be refused; that call will not arrive, so it is counted here.

        If calls after it are to be refused too, their times are added.
        """
        refusing = [rule for rule in self._rules if rule.fault.name == "refuse"]
        is_endless = any(rule.is_certain and rule.fault.calls is None for rule in refusing)
        seconds: float | None = None
        while (applied := self._due(refusing, ahead=1)) is not NO_FAULT:
            seconds = (seconds or 0.0) + applied.amount
            for rule in refusing:
                rule.n_calls += 1
            self._draw = self._random.random()
            if is_endless:
                break
        return seconds

    def _due(self, rules: Iterable[_Rule], *, ahead: int) -> AppliedFault:
        share = 0.0
        for rule in rules:
            fault = rule.fault
            start, share = share, share + (0.0 if rule.is_certain else fault.rate)
            is_due = fault.calls is None or rule.n_calls + ahead in fault.calls
            if is_due and (rule.is_certain or start <= self._draw < share):
                amount = KINDS[fault.name].amount if fault.amount is None else fault.amount
                return AppliedFault(fault.name, amount or 0.0, self._draw)
        return NO_FAULT


_MOST_REFUSED = 0.95


def _require_shares(faults: Iterable[Fault]) -> None:
    shares = dict.fromkeys(Scope, 0.0)
    listed = list(faults)
    for fault in listed:
        if fault.rate < 1.0 and fault.when is None:
            shares[KINDS[fault.name].scope] += fault.rate
    if sum(fault.rate for fault in listed if fault.name == "refuse" and fault.rate < 1.0) > _MOST_REFUSED:
        raise ValueError(f"refuse: the rates add up to more than {_MOST_REFUSED:.0%}, which refuses nearly every call")
    total = shares[Scope.ANY] + max(shares[Scope.BULK], shares[Scope.LIST])
    if total > 1.0 + 1e-9:
        raise ValueError(f"the rates add up to {total:g}, but a call has at most one fault")
