"""The session of one of Spark's processes."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from planhat_async._http.wire import DEFAULT_BASE_URL
from planhat_async.engines.spark_options import ENVIRONMENT, SparkOptions
from planhat_async.engines.spark_pace import Cluster, PaceChoice, pace_of
from planhat_async.session import Session


@attrs.frozen(kw_only=True)
class SparkAccess:
    """How the driver and the executors call Planhat: it travels in the plan, so it holds a token only on request."""

    options: SparkOptions
    pace: PaceChoice
    base_url: str

    @classmethod
    def planned(cls, options: SparkOptions, cluster: Cluster) -> SparkAccess:
        """What the driver chooses for all processes.

        Raises:
            ValueError: See `pace_of`.
        """
        base_url = options.base_url or os.environ.get("PLANHAT_BASE_URL") or DEFAULT_BASE_URL
        access = cls(options=options, pace=pace_of(options, cluster, os.environ), base_url=base_url)
        access.session()  # so that what is wrong is reported once, before any task starts
        return access

    def session(self) -> Session:
        """A closed session for this process.

        Raises:
            ValueError: The token is missing or malformed, the base URL is not a URL, or there is no such window.
        """
        return Session(self._token(), base_url=self.base_url, limits=self.pace.limits, shared=self._shared())

    def _token(self) -> str | None:
        if self.options.token_file is None:
            return self.options.token
        try:
            return Path(self.options.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ValueError(f"tokenFile {self.options.token_file}: {reason}; driver and executors need it") from None

    def _shared(self) -> str:
        if self.pace.shared != ENVIRONMENT:
            return self.pace.shared
        found = os.environ.get("PLANHAT_SHARED_PACE")
        if not found:
            raise ValueError(
                "PLANHAT_SHARED_PACE is set on the driver and not on this executor: "
                "set spark.executorEnv.PLANHAT_SHARED_PACE too"
            )
        return found
