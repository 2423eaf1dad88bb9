"""How records come from Kafka to the receiver: through Faust's group membership, one value a fetch, safely over rebalances.

Faust 0.15 loses and repeats records when workers come and go, and spends two tasks on each message. What is here replaces
the delivery, the acknowledgement and the commit of its consumer, and leaves it the membership, the assignment and the
agent. `offset_tracker` and `assignment` hold the rules and do no I/O; `thread` talks to aiokafka; `consumer` ties both to Faust.
"""

from streams.worker.transport.assignment import Bounds, PartitionAssignment
from streams.worker.transport.offset_tracker import Fetched
from streams.worker.transport.receiver import Receiver
from streams.worker.transport.thread import LostRecords

__all__ = ["Bounds", "Fetched", "LostRecords", "PartitionAssignment", "Receiver"]
