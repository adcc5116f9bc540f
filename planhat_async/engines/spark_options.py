"""The options of Spark's readers and writers, checked: decisions only.

Spark ignores the case of an option's name and passes every value as text. An unknown option is refused, because a
misspelt one would change silently what is read or written.
"""

# pyright: reportArgumentType=false

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from planhat_async._convert import printable
from planhat_async.models import ALL
from planhat_async.repositories import Lists, Repository, Upserts

T = TypeVar("T")

_FLAGS = {"true": True, "false": False}
_ON_PROBLEMS = ("raise", "report")
_STARTS = ("earliest", "latest")
ENVIRONMENT = "the environment"
"""The choice of a shared pace that the environment of each process names."""


@attrs.frozen(kw_only=True)
class SparkOptions:
    """The options of one reader or writer."""

    repository: type[Repository[Any]]
    base_url: str | None = None
    token: str | None = attrs.field(default=None, repr=False)
    token_file: str | None = None
    shared_pace: str | None = None
    executors: int | None = None
    calls_per_minute: int = 200
    partitions: int = 1
    filters: Mapping[str, Any] = attrs.field(factory=dict)
    """The filters of the model's lists, by their options in Python."""
    allow_keyless: bool = False
    on_problems: str = "raise"
    report: str | None = None
    starting_from: str = "earliest"
    settle_seconds: int = 10

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> SparkOptions:
        """The options in the texts that Spark passes.

        Raises:
            ValueError: An option is unknown, or has no such value; a token is among them without `allowTokenInOptions`.
        """
        texts = {name.replace("_", "").lower(): value for name, value in given.items()}
        repository = _repository(texts)
        filters = {one.option.replace("_", ""): one for one in repository.model.filters}
        for name in texts:
            if name not in _NAMES and name not in filters:
                raise ValueError(_unknown(name, repository))
        _refuse_secrets(texts)
        read = {field: read(texts[name], shown) for name, (shown, field, read) in _READERS.items() if name in texts}
        chosen = {one.option: one.value_of([texts[name]]) for name, one in filters.items() if name in texts}
        for one in repository.model.filters:
            if one.option in chosen:
                one.branches(chosen[one.option])
        return cls(repository=repository, filters=chosen, **read)

    def listing(self) -> type[Lists[Any]]:
        """The repository, if its model has a list.

        Raises:
            ValueError: It has none.
        """
        if issubclass(self.repository, Lists):
            return self.repository
        raise ValueError(f"{self.repository.model.name} cannot be listed")

    def storing(self) -> type[Upserts[Any]]:
        """The repository, if its model has bulk upserts.

        Raises:
            ValueError: It has none, or an option is for reading.
        """
        if self.filters:
            raise ValueError(f"{next(iter(self.filters))} is an option of reading, not of writing")
        if issubclass(self.repository, Upserts):
            return self.repository
        raise ValueError(f"{self.repository.model.name} have no bulk upserts")


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise ValueError(f"{name} must be a whole number of at least 1, not {printable(text)!r}")
    return int(text)


def _seconds(text: str, name: str) -> int:
    return 0 if text == "0" else _whole(text, name)


def _flag(text: str, name: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(f"{name} must be true or false, not {printable(text)!r}")
    return _FLAGS[text.lower()]


def _choice(choices: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(text: str, name: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"{name} must be {' or '.join(choices)}, not {printable(text)!r}")
        return text.lower()

    return read


def _text(text: str, name: str) -> str:
    if not text.strip():
        raise ValueError(f"{name} must not be blank")
    return text


_OPTIONS: tuple[tuple[str, str, Callable[[str, str], Any]], ...] = (
    ("baseUrl", "base_url", _text),
    ("token", "token", _text),
    ("tokenFile", "token_file", _text),
    ("sharedPace", "shared_pace", _text),
    ("executors", "executors", _whole),
    ("callsPerMinute", "calls_per_minute", _whole),
    ("partitions", "partitions", _whole),
    ("allowKeyless", "allow_keyless", _flag),
    ("onProblems", "on_problems", _choice(_ON_PROBLEMS)),
    ("report", "report", _text),
    ("startingFrom", "starting_from", _choice(_STARTS)),
    ("settleSeconds", "settle_seconds", _seconds),
)
_READERS = {shown.lower(): (shown, field, read) for shown, field, read in _OPTIONS}
_OTHERS = {"model": "model", "path": "path", "allowtokeninoptions": "allowTokenInOptions"}
_NAMES = {**{name: shown for name, (shown, _, _) in _READERS.items()}, **_OTHERS}


def _repository(texts: Mapping[str, str]) -> type[Repository[Any]]:
    """The repository of the model, which is named by an option, or in the place of a path."""
    known = {one.model.name: one for one in ALL if issubclass(one, Lists | Upserts)}
    names = {texts[key] for key in ("model", "path") if key in texts}
    if len(names) != 1:
        raise ValueError(f'name one model: .option("model", "tasks"); there are {", ".join(known)}')
    (name,) = names
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"there is no model {printable(name)!r}; {hint}")
    return known[name]


def _unknown(name: str, repository: type[Repository[Any]]) -> str:
    known = {**_NAMES, **{one.option.replace("_", ""): one.option for one in repository.model.filters}}
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {known[near[0]]}?" if near else f"there are {', '.join(sorted(known.values()))}"
    return f"planhat has no option {printable(name)!r} for {repository.model.name}; {hint}"


def _refuse_secrets(texts: Mapping[str, str]) -> None:
    """Refuse what would travel in the query's plan: event logs and error messages may show a plan."""
    allows = _flag(texts.get("allowtokeninoptions", "false"), "allowTokenInOptions")
    if "token" in texts and not allows:
        raise ValueError(
            "a token in options travels in the query's plan: set PLANHAT_API_TOKEN on the driver and the executors "
            "(spark.executorEnv.PLANHAT_API_TOKEN), or tokenFile to a file that both have; or say allowTokenInOptions"
        )
    if "token" in texts and "tokenfile" in texts:
        raise ValueError("token and tokenFile are both given: leave one of them out")
    if "@" in texts.get("sharedpace", "") and not allows:
        raise ValueError(
            "a URL with a password in options travels in the query's plan: set PLANHAT_SHARED_PACE on the driver and "
            "the executors (spark.executorEnv.PLANHAT_SHARED_PACE), or say allowTokenInOptions"
        )
