"""What a worker may tell of its cells at this moment: those of the partitions that it holds, knows, and surely has to itself.

A cell must not be told by two workers, nor by none for long. So nothing is told between a rebalance and the recovery of a
partition, nor by a worker that has not heard of Kafka for a while: its partitions may be another one's by now.
"""

from collections.abc import Callable, Mapping
from typing import Final

from projections.muted import STALE_MS
from projections.overview import overview
from projections.partition import Partition
from sinks.cell_metrics import Seen, exposition
from streams.clock import Clock
from streams.worker.processor import Processor

END: Final = b"# EOF\n"
"""How OpenMetrics ends."""


class Cells:
    """Looks, when somebody asks."""

    def __init__(self, processor: Processor, clock: Clock, limit: int, beat: Callable[[], None], is_away: Callable[[], bool]) -> None:
        """`beat` ends the process if it was stopped too long; `is_away` tells whether Kafka has been silent too long."""
        self._processor = processor
        self._clock = clock
        self._limit = limit
        self._beat = beat
        self._is_away = is_away

    def exposition(self) -> str:
        """Write the gauges of every cell in Prometheus' text format."""
        self._beat()
        return exposition([self._seen(partition) for partition in self._told().values()], self._limit)

    def added_to(self, body: bytes) -> bytes:
        """Put the gauges behind what is told already."""
        end = END if body.endswith(END) else b""
        return body.removesuffix(END) + self.exposition().encode() + end

    def _told(self) -> Mapping[int, Partition]:
        if not self._processor.is_assigned or self._is_away():
            return {}
        recovering = set(self._processor.recovering)
        return {number: partition for number, partition in self._processor.partitions.items() if number not in recovering}

    def _seen(self, partition: Partition) -> Seen:
        now, directory = self._clock.now(), self._processor.directory
        found = overview(partition, directory.schedule_of)
        districts = [cell.district for cell in found.cells if cell.scope == "district"]
        schedules = {district: directory.schedule_of(district, "", "") for district in districts}
        return Seen(
            found,
            found.clock >= now - STALE_MS,
            partition.promises.last_contact_at,
            {district: schedule.open_ms(now + 1) > schedule.open_ms(now) for district, schedule in schedules.items()},
            {district: directory.promised_share(district) for district in districts},
            directory.route,
        )
