"""The capability to create and update a model's records in bulk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import cache, partial
from typing import Any, Literal, TypedDict, TypeVar, Unpack

import attrs

from planhat_async._convert import (
    IDS_ONLY,
    FingerprintFields,
    block_encoder,
    decode_json,
    encode_row,
    fingerprint_fields,
    requirements_of,
    row_converter,
    says_error,
    wire_path,
)
from planhat_async._convert.column_mapping import ColumnMapping
from planhat_async._http.wire import Request, Response
from planhat_async.batching.answers import Answer, tells_of_rows
from planhat_async.batching.attribution import AnswerKeys
from planhat_async.batching.chunk_ledger import Ledger
from planhat_async.batching.chunker import IsStored
from planhat_async.batching.chunks import Row
from planhat_async.batching.input_producer import Prepare
from planhat_async.batching.outcome_verifier import HorizonReader, OutcomeVerifier
from planhat_async.batching.row_inputs import refuse_what_is_not_rows
from planhat_async.batching.upsert_run import ChunkOptions, UpsertRun
from planhat_async.batching.verification import Seen
from planhat_async.errors import DecodeError
from planhat_async.records import Model, Params, Record
from planhat_async.records.arguments import flag
from planhat_async.repositories.queries import check_options, queries_of
from planhat_async.repositories.repository import Repository
from planhat_async.repositories.single_calls import with_defaults
from planhat_async.repositories.table_input import Table, is_table, table_rows
from planhat_async.results import ChunkResult, Unreadable, UpsertResult

R = TypeVar("R", bound=Record)

Rows = Iterable[R | Mapping[str, Any] | Unreadable] | AsyncIterable[R | Mapping[str, Any] | Unreadable] | Table
"""The rows of an upsert: records of the model, or mappings with keys in either spelling; or a table."""


_TABLE_OPTIONS = ("mapping", "time_zone")
_OPTIONS_OF_CALLS: Mapping[str, tuple[str, ...]] = {
    "upsert_many": ("raise_on_error",),
    "upsert_chunks": (),
    "upserting": ("ledger", "is_stored"),
}
"""The options of each call, besides those of every upsert and of tables."""


class UpsertOptions(TypedDict, total=False):
    """The options of every upsert."""

    chunk_size: int
    """Rows per call; 5,000 by default, which is also the maximum."""
    max_bytes: int
    """Bytes per call; 8,000,000 by default, at most 30,000,000."""
    concurrency: int
    """Chunks in flight; 4 by default, 1 is what Planhat advises for large writes."""
    on_invalid: Literal["collect", "raise"]
    """What to do with an invalid row. `"collect"`, the default, counts it and goes on.

    `"raise"` raises a `ValueError` that names the first invalid row: before anything is sent if `rows` is a sequence
    (each row is then checked twice). Any other iterable can be read only once: rows before the invalid one may have
    been sent, and chunks in flight end first. `upserting` keeps their outcomes.
    """
    verify_by: Sequence[str]
    """Fields, in either spelling, or `custom.NAME`, whose values are unique among the model's records: you warrant it.

    A row without a key is created each time it is sent, so after a lost answer its outcome is unknown. With this
    option such rows are looked for, by these values, among the records that Planhat has created since: a row that is
    found counts as created; a missing one is looked for again after `verify_wait`, then sent again. If the values are
    not unique after all, a missing row of which an equal one was found is unknown, because the record may be of either.
    A row without a key must have these values (text, numbers or times), and Planhat must show them as they were sent.
    Costs a call or two per list at the start, and a few for each chunk without an answer. It is better to give each
    task a `source_id` of your own: then it has a key.
    """
    verify_wait: float
    """Seconds before missing rows are looked for again, since a late request may still be processed; 30 by default."""
    isolate: bool
    """Find the rows of errors that name no row: halve a chunk of keyed rows until each bad row is known."""
    max_isolation_calls: int
    """The most calls that `isolate` may cost in a whole upsert; 100 by default. See `isolation_calls` of the result."""


class Upserts(Repository[R]):
    """Creates and updates records by the thousand ("Bulk upsert" in Planhat's documentation)."""

    async def upsert_many(
        self,
        rows: Rows[R],
        *,
        raise_on_error: bool = False,
        mapping: ColumnMapping | None = None,
        time_zone: str | tzinfo | None = None,
        **options: Unpack[UpsertOptions],
    ) -> UpsertResult:
        """Create or update any number of records, in chunks ("Bulk upsert" in Planhat's documentation).

        Each row is checked and encoded once. Rows with the same key arrive in the order of the input; if keys repeat,
        rows with different keys may overtake one another. A record named by `id` in one row and by `source_id` in
        another is not recognised as the same. A row without a key is created each time it is sent, so it is not
        retried (see `verify_by`); give a task a `source_id` of your own, and it is.

        Costs one call per chunk, and at least as many calls as the most frequent key has rows; for the pace, an input
        that does not fill a chunk is a single call, any other bulk. Memory is bounded by about twice `concurrency` + 4
        chunks, however long the input is.

        Args:
            rows: Records, or mappings with keys in either spelling; a mapping is sent with exactly the fields that it
                has. Times are sent in UTC with milliseconds; values of numpy and pandas, decimals, UUIDs and members
                of an `Enum` as the numbers, texts and times that they are (less than a millisecond is cut off).
                Or a table of pandas, polars, pyarrow, DuckDB or any library with Arrow's interface (extra `arrow`): it
                is read batch by batch, its columns are named like the keys of mappings or `custom.NAME`, and a null, a
                NaN or a NaT is a missing value. A mapping instead of it sends `None`, which empties a field.
            mapping: For tables, which column goes to which field: a `jobs.FieldMapping`, as for files.
            time_zone: For tables, the zone of times without one, such as `Europe/Berlin`; without it they are refused.
            raise_on_error: Raise at the end unless every row was stored.
            **options: See `UpsertOptions`.

        Returns:
            The outcome of every row. Rejected rows are not raised: check `ok`.

        Raises:
            UpsertError: With `raise_on_error`; it holds the result, and its `__cause__` is the error that ended the
                run, or else the first error that kept rows from being stored.
            ValueError: An option out of bounds; with `on_invalid="raise"` an invalid row; a table with a column that is
                no field, or that has times without a zone.
            TypeError: `rows` is not an iterable of rows: text, a file of lines, a table without Arrow's interface.
            MissingExtraError: `rows` is a table, and pyarrow is not installed.
        """
        flag()("raise_on_error", raise_on_error)
        async with self._run("upsert_many", rows, options, mapping=mapping, time_zone=time_zone) as run:
            async for _ in run:
                pass
        if raise_on_error:
            run.result.raise_for_problems()
        return run.result

    async def upsert_chunks(
        self,
        rows: Rows[R],
        *,
        mapping: ColumnMapping | None = None,
        time_zone: str | tzinfo | None = None,
        **options: Unpack[UpsertOptions],
    ) -> AsyncGenerator[ChunkResult, None]:
        """Like `upsert_many`, but yields the result of each chunk as it ends.

        To leave it early, use `contextlib.aclosing`, or `upserting`, which keeps all outcomes.
        """
        async with self._run("upsert_chunks", rows, options, mapping=mapping, time_zone=time_zone) as run:
            async for chunk in run:
                yield chunk

    def upserting(
        self,
        rows: Rows[R],
        *,
        ledger: Ledger | None = None,
        is_stored: IsStored | None = None,
        mapping: ColumnMapping | None = None,
        time_zone: str | tzinfo | None = None,
        **options: Unpack[UpsertOptions],
    ) -> UpsertRun:
        """Like `upsert_chunks`, for `async with`: `run.result` holds all outcomes however the run ends.

        Args:
            rows: As with `upsert_many`.
            ledger: Records each chunk before it is sent and after it has ended; that of `jobs.run_upsert` is a file.
            is_stored: Whether a row is skipped, because an earlier run stored the same; by default none is.
            mapping: As with `upsert_many`.
            time_zone: As with `upsert_many`.
            **options: See `UpsertOptions`.
        """
        return self._run("upserting", rows, options, ledger, is_stored, mapping=mapping, time_zone=time_zone)

    def _run(
        self,
        call: str,
        rows: Any,
        options: UpsertOptions,
        ledger: Ledger | None = None,
        is_stored: IsStored | None = None,
        *,
        mapping: ColumnMapping | None = None,
        time_zone: str | tzinfo | None = None,
    ) -> UpsertRun:
        known = {*UpsertOptions.__annotations__, *_OPTIONS_OF_CALLS[call]}
        if is_table(rows):
            known |= {*_TABLE_OPTIONS}
            rows = table_rows(rows, self.model.record, mapping=mapping, time_zone=time_zone)
        else:
            refuse_what_is_not_rows(rows, Record)
            for name, value in zip(_TABLE_OPTIONS, (mapping, time_zone), strict=True):
                if value is not None:
                    raise TypeError(f"{name} is for tables, and the rows are {type(rows).__name__}")
        check_options(options, known, call=self._call(call))
        chosen = ChunkOptions(**options)
        fields = fingerprint_fields(self.model, chosen.verify_by) if chosen.verify_by else None
        return UpsertRun(
            rows,
            prepare=self._preparing(fields),
            send=self._send_chunk,
            send_single_call=partial(self._send_chunk, is_bulk=False) if fields is None else None,
            options=chosen,
            verifier=None if fields is None else self._verifier(fields, chosen.verify_wait),
            ledger=ledger,
            # Rows that may be skipped are looked up one by one.
            encode=None if is_stored else block_encoder(self.model, passes_keyless=fields is None).fill,
            is_stored=is_stored,
        )

    def _verifier(self, fields: FingerprintFields, wait: float) -> OutcomeVerifier:
        peeks = [partial(self._peek, fields, params) for params in _verification_lists(self.model)]
        return OutcomeVerifier(peeks, wait)

    def _preparing(self, fields: FingerprintFields | None) -> Prepare:
        """A function that checks and encodes one row."""
        record = self.model.record
        to_wire = row_converter(record, self.model.match).to_wire
        check = requirements_of(self.model).check_upsert
        defaults = self.model.creation_defaults

        def prepare(position: int, item: Any) -> Row:
            if type(item) is Unreadable:
                raise ValueError(item.reason)
            wire = to_wire(item)
            keys, is_partial = check(wire)
            if keys:
                return Row(position, keys, encode_row(record, wire), None, is_partial)
            wire = with_defaults(wire, defaults)
            return Row(position, keys, encode_row(record, wire), None if fields is None else fields.of_row(wire))

        return prepare

    async def _send_chunk(
        self,
        body: bytes,
        *,
        is_keyed: bool,
        on_sent: Callable[[], None],
        on_not_processed: Callable[[], None],
        is_bulk: bool = True,
    ) -> Answer:
        request = Request(method="PUT", path=self.model.path, body=body, is_keyed=is_keyed, is_bulk=is_bulk)
        response = await self._session.send(
            request, accepts=_says_of_rows, on_sent=on_sent, on_not_processed=on_not_processed
        )
        body = response.body
        try:
            account = _account_in(body) if body.strip() else None
        except DecodeError:
            problem = "the answer is not an account of the rows"
            raise self._session.unusable(request, response.status, body, problem) from None
        return Answer(
            status=response.status,
            body=account,
            follows_unknown=response.follows_unknown,
            keys=answer_keys_of(self.model),
        )

    async def _peek(self, fields: FingerprintFields, params: Params, offset: int, limit: int) -> list[Seen]:
        """Read a page of a list, newest record first: the `_id` and the fingerprint of each record."""
        query = (*params, ("sort", "-_id"), ("select", fields.select), ("limit", str(limit)), ("offset", str(offset)))
        request = Request(method="GET", path=self.model.path, params=query, is_bulk=True)
        page = decode_json((await self._session.send(request)).body)
        if not isinstance(page, list) or not all(isinstance(one, dict) and type(one.get("_id")) is str for one in page):
            raise DecodeError(f"GET {self.model.path}: the answer is not a list of records")
        return [(one["_id"], fields.of_record(one)) for one in page]


def _account_in(body: bytes) -> Any:
    """The decoded answer to an upsert.

    Raises:
        DecodeError: It is not JSON, or an error of the request as a whole.
    """
    answer = decode_json(body)
    if says_error(answer) and not tells_of_rows(answer) and not any(isinstance(one, list) for one in answer.values()):
        raise DecodeError("it holds an error")
    return answer


@cache
def answer_keys_of(model: Model) -> AnswerKeys:
    """The names of keys in the answers to upserts of this model."""
    fields = attrs.fields_dict(model.record)
    wires = {
        name: wire_path(model.record, name) for name in (*model.match, "source_id", "external_id") if name in fields
    }
    return AnswerKeys(
        # In the order of `match`: an error with keys of two rows is about the row that Planhat matches first.
        names=tuple(wire for name, wire in wires.items() if name not in model.returned_as),
        returned_as={wires[name]: wires[sent] for name, sent in model.returned_as.items()},
        source_id=wires.get("source_id", "sourceId"),
        external_id=wires.get("external_id", "externalId"),
    )


def horizon_reader_of(repository: Upserts[Any]) -> HorizonReader:
    """A reader of the newest `_id`s, for a ledger whose chunks a later run may have to look for."""
    peek = repository._peek  # noqa: SLF001 - not for users of a repository
    return HorizonReader([partial(peek, IDS_ONLY, params) for params in _verification_lists(repository.model)])


def _verification_lists(model: Model) -> list[Params]:
    """The filters of the lists that show the records that an upsert creates."""
    return [query.filters for query in queries_of(model, model.everything)]


def _says_of_rows(response: Response) -> bool:
    """Whether a refusal is an account of rows, and not of the request as a whole."""
    try:
        return response.status in {400, 403} and tells_of_rows(decode_json(response.body))
    except DecodeError:
        return False
