"""The pace of each process of a Spark application: decisions only.

On one machine all processes share one window. In a cluster they need a window in Redis; without one, each machine has
a share of the calls, which the processes on it share in turn. So the number of machines must be known beforehand: the
driver reads it from Spark's settings when the data source is registered.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from planhat_async._http.pace import RateLimits
from planhat_async.engines.spark_options import ENVIRONMENT, SparkOptions

_MASTER, _DYNAMIC = "spark.master", "spark.dynamicAllocation.enabled"
_ENOUGH_PLACES = 2


@attrs.frozen(kw_only=True)
class Cluster:
    """Where the processes of a Spark application run."""

    is_one_machine: bool = True
    executors: int | None = None
    """The greatest number of executors, if it is known."""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Cluster:
        """The cluster that Spark's settings describe."""
        master = settings.get(_MASTER, "")
        if master == "local" or master.startswith(("local[", "local-cluster[")):
            return cls()
        return cls(is_one_machine=False, executors=_executors(settings))


@attrs.frozen(kw_only=True)
class PaceChoice:
    """How a process keeps the pace: plain values, which travel to the executors."""

    shared: str
    """A shared window, by its name or URL, or `ENVIRONMENT`."""
    per_minute: int
    n_shares: int = 1
    """The number of machines that share the calls."""

    @property
    def limits(self) -> RateLimits:
        """The limits of each machine."""
        whole = RateLimits(per_minute=self.per_minute)
        if self.n_shares == 1:
            return whole
        # At least two places in flight: one of them is for single calls.
        places = max(_ENOUGH_PLACES, whole.max_in_flight // self.n_shares)
        per_second = max(1, whole.per_second // self.n_shares)
        return RateLimits(
            per_minute=self.per_minute // self.n_shares, per_second=per_second, max_in_flight=places, reserve=0
        )


def pace_of(options: SparkOptions, cluster: Cluster, environment: Mapping[str, str]) -> PaceChoice:
    """How the processes of a reader or writer keep the pace.

    Raises:
        ValueError: Several machines share the calls, and their number is not known or too large.
    """
    per_minute = options.calls_per_minute
    if options.shared_pace is not None:
        return PaceChoice(shared=options.shared_pace, per_minute=per_minute)
    if environment.get("PLANHAT_SHARED_PACE"):
        return PaceChoice(shared=ENVIRONMENT, per_minute=per_minute)
    if cluster.is_one_machine:
        return PaceChoice(shared="host", per_minute=per_minute)
    n = options.executors or cluster.executors
    if n is None:
        raise ValueError(
            "in a cluster the calls need one pace: set sharedPace=redis://HOST, or executors to the greatest number of "
            "executors, each of which then takes its share"
        )
    n_shares = n + 1  # the driver makes calls too
    if n_shares > per_minute:
        raise ValueError(f"{per_minute} calls a minute cannot be shared by {n} executors: set sharedPace=redis://HOST")
    return PaceChoice(shared="host", per_minute=per_minute, n_shares=n_shares)


def _executors(settings: Mapping[str, str]) -> int | None:
    """The greatest number of executors that the settings allow, if they limit it."""
    if settings.get(_DYNAMIC, "false") == "true":
        return _number(settings.get("spark.dynamicAllocation.maxExecutors"))
    instances = _number(settings.get("spark.executor.instances"))
    if instances is not None:
        return instances
    all_cores, cores = _number(settings.get("spark.cores.max")), _number(settings.get("spark.executor.cores"))
    return None if all_cores is None else -(-all_cores // (cores or 1))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and int(text) else None
