"""Test how the processes of a Spark application keep one pace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import RateLimits, Tasks
from planhat_async.engines.spark_options import ENVIRONMENT, SparkOptions
from planhat_async.engines.spark_pace import Cluster, PaceChoice, pace_of

FAR = Cluster(is_one_machine=False)


def of(executors: int) -> Cluster:
    return Cluster(is_one_machine=False, executors=executors)


@pytest.mark.parametrize(
    ("settings", "cluster"),
    [
        ({"spark.master": "local"}, Cluster()),
        ({"spark.master": "local[*]"}, Cluster()),
        ({"spark.master": "local-cluster[2,1,1024]"}, Cluster()),
        ({}, FAR),
        ({"spark.master": "spark://a:7077"}, FAR),
        ({"spark.master": "yarn", "spark.executor.instances": "4"}, of(4)),
        ({"spark.master": "spark://a", "spark.cores.max": "7", "spark.executor.cores": "2"}, of(4)),
        ({"spark.master": "k8s://a", "spark.dynamicAllocation.enabled": "true", "spark.executor.instances": "2"}, FAR),
        (
            {
                "spark.master": "k8s://a",
                "spark.dynamicAllocation.enabled": "true",
                "spark.dynamicAllocation.maxExecutors": "9",
            },
            of(9),
        ),
    ],
)
def test_settings_describe_the_cluster(settings: dict[str, str], cluster: Cluster) -> None:
    """The number of executors is a limit, never a guess."""
    assert Cluster.of(settings) == cluster


@pytest.mark.parametrize(
    ("option", "cluster", "environment", "expected"),
    [
        (None, Cluster(), {}, PaceChoice(shared="host", per_minute=200)),
        (None, FAR, {"PLANHAT_SHARED_PACE": "redis://a"}, PaceChoice(shared=ENVIRONMENT, per_minute=200)),
        ("redis://a", FAR, {}, PaceChoice(shared="redis://a", per_minute=200)),
        ("none", Cluster(), {"PLANHAT_SHARED_PACE": "host"}, PaceChoice(shared="none", per_minute=200)),
        (None, of(4), {}, PaceChoice(shared="host", per_minute=200, n_shares=5)),
    ],
)
def test_the_pace_is_shared(
    option: str | None, cluster: Cluster, environment: dict[str, str], expected: PaceChoice
) -> None:
    """By a window that is named, on one machine by that of the host, and otherwise by shares."""
    options = SparkOptions(repository=Tasks, shared_pace=option)
    assert pace_of(options, cluster, environment) == expected


def test_a_cluster_without_a_shared_window_needs_the_number_of_executors() -> None:
    """A guess might be too low."""
    with pytest.raises(ValueError, match="in a cluster the calls need one pace"):
        pace_of(SparkOptions(repository=Tasks), FAR, {})
    with pytest.raises(ValueError, match="200 calls a minute cannot be shared by 200 executors"):
        pace_of(SparkOptions(repository=Tasks, executors=200), FAR, {})


@given(st.integers(1, 400), st.integers(1, 400))
def test_all_shares_together_keep_the_limits(per_minute: int, executors: int) -> None:
    """The driver's share included."""
    options = SparkOptions(repository=Tasks, executors=executors, calls_per_minute=per_minute)
    if executors + 1 > per_minute:
        return
    choice = pace_of(options, FAR, {})
    assert choice.limits.per_minute >= 1
    assert choice.n_shares * choice.limits.per_minute <= per_minute
    assert choice.limits.per_second <= max(1, RateLimits().per_second // choice.n_shares)
