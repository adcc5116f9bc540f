"""The analytics host: metrics and user activities."""

from planhat_async.analytics.activity import Activity
from planhat_async.analytics.analytics import ActivityRows, Analytics, MetricRows, SendOptions
from planhat_async.analytics.metric import Metric
from planhat_async.analytics.send_result import (
    SendChunkResult,
    SendError,
    SendOutcome,
    SendProblem,
    SendProblemGroup,
    SendResult,
)
from planhat_async.analytics.send_run import SendRun

__all__ = [
    "Activity",
    "ActivityRows",
    "Analytics",
    "Metric",
    "MetricRows",
    "SendChunkResult",
    "SendError",
    "SendOptions",
    "SendOutcome",
    "SendProblem",
    "SendProblemGroup",
    "SendResult",
    "SendRun",
]
