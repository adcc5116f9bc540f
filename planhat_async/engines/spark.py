"""Spark: Planhat as a source and as a target of tables and streams; needs PySpark 4.1 or newer, and pyarrow.

Spark would find a data source by itself in a module whose name begins with `pyspark_`, but imports all of these in
every session that looks for any source. So this one is registered by a call instead, which also sees Spark's settings:
they say whether all processes are on one machine, and how many executors there may be at most.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planhat_async.engines.spark_options import SparkOptions
from planhat_async.engines.spark_pace import Cluster
from planhat_async.engines.spark_schema import SparkColumns, chosen_table, ddl, whole_table
from planhat_async.engines.spark_session import SparkAccess

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType, StructType

try:
    import pyarrow as pa  # noqa: F401 - used by Spark and by the readers
    from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader, DataSourceWriter
except ModuleNotFoundError as missing:
    if missing.name not in {"pyspark", "pyarrow"}:
        raise
    raise ModuleNotFoundError(
        "Spark needs more packages: pip install 'planhat-async[spark]'", name=missing.name
    ) from None

__all__ = ["PlanhatDataSource", "register"]


def register(spark: SparkSession) -> None:
    """Make `spark.read.format("planhat")`, `df.write.format("planhat")` and `spark.readStream` known to a session.

    Args:
        spark: The session.
    """
    cluster = Cluster.of(_settings(spark))
    spark.dataSource.register(type(PlanhatDataSource.__name__, (PlanhatDataSource,), {"cluster": cluster}))


class PlanhatDataSource(DataSource):
    """The records of a model as a table or a stream, and a target for its rows."""

    cluster: Cluster = Cluster()

    @classmethod
    def name(cls) -> str:
        """The name of the format."""
        return "planhat"

    def schema(self) -> str:
        """A column for each field of the model, and `extra`."""
        return ddl(whole_table(self._parsed().listing().model.record))

    def reader(self, schema: StructType) -> DataSourceReader:
        """A reader of the list."""
        from planhat_async.engines.spark_read import reader_of  # noqa: PLC0415 - only where it is used

        access = self._access()
        return reader_of(access, self._columns(access, schema))

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 - Spark's name
        """A reader of new records."""
        try:
            from planhat_async.engines.spark_stream import PlanhatStreamReader  # noqa: PLC0415
        except ImportError:
            raise ValueError(
                "streams need PySpark 4.2: older ones do not say where a restarted stream goes on"
            ) from None
        access = self._access()
        return PlanhatStreamReader(access, self._columns(access, schema))

    def writer(self, schema: StructType, overwrite: bool) -> DataSourceWriter:
        """A writer of rows."""
        from planhat_async.engines.spark_write import PlanhatWriter  # noqa: PLC0415

        if overwrite:
            raise ValueError('Planhat\'s records cannot be replaced as a whole: say .mode("append")')
        return PlanhatWriter(self._access(), schema.fieldNames())

    def _parsed(self) -> SparkOptions:
        return SparkOptions.parse(self.options)

    def _access(self) -> SparkAccess:
        return SparkAccess.planned(self._parsed(), self.cluster)

    def _columns(self, access: SparkAccess, schema: StructType) -> SparkColumns:
        asked = [(field.name, _type_name(field.dataType)) for field in schema.fields]
        not_null = [field.name for field in schema.fields if not field.nullable]
        return chosen_table(access.options.listing().model.record, asked, not_null)


def _type_name(kind: DataType) -> str:
    name: str = kind.simpleString()
    return name if getattr(kind, "containsNull", True) else f"{name} without nulls"


def _settings(spark: SparkSession) -> dict[str, Any]:
    """Spark's settings that matter here; through Spark Connect too."""
    names = (
        "spark.master",
        "spark.cores.max",
        "spark.executor.cores",
        "spark.executor.instances",
        "spark.dynamicAllocation.enabled",
        "spark.dynamicAllocation.maxExecutors",
    )
    found = {name: spark.conf.get(name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}
