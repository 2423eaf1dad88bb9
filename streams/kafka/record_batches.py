r"""Batches of a topic, whatever bytes the names of their headers are: aiokafka's reader takes UTF-8 only.

Kafka does not look at these names, so a publisher may send any bytes. aiokafka raises at such a record, each time that it is fetched:
nothing behind it would ever be read. Here a batch with such a name is read again by aiokafka's reader in Python, in which bytes
that are no UTF-8 stand as `\xff`; all other batches are read as before, by the compiled reader. Importing this module exchanges
the reader of all consumers of the process.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

PREAMBLE: Final = struct.Struct(">qi")
"""Base offset of a batch, and how many bytes follow."""


class FetchedBatches:
    """In place of aiokafka's `MemoryRecords`, for what one fetch gave of one partition."""

    def __init__(self, fetched: bytes) -> None:
        self._fetched = memoryview(fetched)
        self._at = 0
        self._reader = MemoryRecords(fetched)

    def size_in_bytes(self) -> int:
        return int(self._reader.size_in_bytes())

    def has_next(self) -> bool:
        return bool(self._reader.has_next())

    def next_batch(self) -> "RecordBatch | None":
        batch = self._reader.next_batch()
        if batch is None:
            return None
        begin = self._at
        self._at += PREAMBLE.size + PREAMBLE.unpack_from(self._fetched, begin)[1]
        return RecordBatch(batch, self._fetched[begin : self._at])


class RecordBatch:
    """A batch as the compiled reader gives it, until it meets a name that it cannot read: then from its beginning by the other one.

    Whoever iterates passes over offsets that were given already, as aiokafka's fetcher does.
    """

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except UnicodeDecodeError:
            yield from _AnyNames(self._raw)


class _AnyNames(_DefaultRecordBatchPy):  # type: ignore[misc] # final only by its annotation
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Escaped(self._buffer)


class _Escaped(bytearray):
    """Bytes whose pieces can always be decoded."""

    def __getitem__(self, at: Any) -> Any:
        piece = super().__getitem__(at)
        return _Escaped(piece) if isinstance(at, slice) else piece

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


fetcher.MemoryRecords = FetchedBatches
