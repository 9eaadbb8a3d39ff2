"""How far the services are behind the ends of their inputs, as Kafka itself tells."""
import time

import confluent_kafka

BEHIND_SECONDS = 0.6     # at the end of an input: all that was there so long ago is committed (transactions: 0.25 s)


class InputLag:
    """Whether the services' groups have committed all that was in their inputs a moment ago."""

    INPUTS = {"plumb-validator": ["inference.events"], "plumb-windower": ["inference.validated"],
              "plumb-detector": ["window.panes"], "plumb-alerter": ["measurements"], "plumb-retrainer": ["alerts"]}

    def __init__(self, pipeline):
        self.ends, self.readers = [], {}
        for name, topics in self.INPUTS.items():
            reader = confluent_kafka.Consumer({"bootstrap.servers": pipeline.bootstrap, "group.id": name,
                                               "isolation.level": "read_committed", "enable.auto.commit": False})
            self.readers[name] = (reader, [confluent_kafka.TopicPartition(topic, number)
                                           for topic in topics for number in range(4)])

    def none(self):
        now = time.monotonic()
        self.ends.append((now, {name: [reader.get_watermark_offsets(one, timeout=5)[1] for one in partitions]
                                for name, (reader, partitions) in self.readers.items()}))
        earlier = [ends for at, ends in self.ends if at <= now - BEHIND_SECONDS]
        if not earlier:
            return False
        return all([one.offset for one in reader.committed(partitions, timeout=5)] >= earlier[-1][name]
                   for name, (reader, partitions) in self.readers.items())

    def close(self):
        for reader, _ in self.readers.values():
            reader.close()
