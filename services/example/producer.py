"""Logs predictions as Avro, by a schema registry, and never holds the app up: what does not fit is dropped and counted.
usage: producer.py EVENTS   environment: KAFKA_BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL   pip: confluent-kafka[avro,schemaregistry]"""
import os, pathlib, random, sys, time, uuid
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPIC = "inference.events"
SCHEMA = pathlib.Path(__file__).with_name("fraud.avsc").read_text()

class PredictionLog:
    def __init__(self):
        self.dropped, self.failed, self.context = 0, 0, SerializationContext(TOPIC, MessageField.VALUE)
        self.producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "enable.idempotence": True,
                                  "linger.ms": 20, "queue.buffering.max.messages": 10_000})
        self.serialize = AvroSerializer(SchemaRegistryClient({"url": os.environ["SCHEMA_REGISTRY_URL"]}), SCHEMA)
        self.serialize(prediction(0.0, "DE"), self.context)   # asks the registry now, so that log() never does

    def log(self, event):
        try:
            value = self.serialize(event, self.context)
            self.producer.produce(TOPIC, value, event["event_id"], on_delivery=self.on_delivery)
        except BufferError:              # the queue is full: Kafka is away, or too slow
            self.dropped += 1
        self.producer.poll(0)            # delivery reports; returns at once

    def on_delivery(self, error, _):
        self.failed += error is not None

def prediction(amount, country):
    return {"event_id": str(uuid.uuid4()), "event_time": int(time.time() * 1000), "model_name": "fraud", "model_version": "7",
            "features": {"amount": amount, "country": country}, "prediction": int(amount > 900), "scores": {"fraud": amount / 1000}}

if __name__ == "__main__":
    log = PredictionLog()
    for _ in range(int(sys.argv[1])):
        log.log(prediction(random.uniform(0, 1000), random.choice(["DE", "FR"])))
    print(f"dropped {log.dropped} undelivered {log.producer.flush(5) + log.failed}")
