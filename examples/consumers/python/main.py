"""Prints the records of the three topics, one JSON object in a line, until SIGTERM or SIGINT."""

import base64
import json
import os
import signal
from datetime import datetime
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from dead_letter_joiner import DeadLetterJoiner

DLR_TOPIC = os.environ.get("DLR_TOPIC", "sms.dlr")
MO_TOPIC = os.environ.get("MO_TOPIC", "sms.mo")
DEAD_LETTER_TOPIC = os.environ.get("DEAD_LETTER_TOPIC", "sms.dead-letter")
SCHEMAS = Path(__file__).parents[3] / "schemas"
FAILED = {"EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED", "SKIPPED"}

registry = SchemaRegistryClient({"url": os.environ.get("SCHEMA_REGISTRY_URL", "http://localhost:8081")})


def deserializer(file):
    """Reads by the schema that this program was written for: what a newer one adds is skipped, or becomes the default."""
    return AvroDeserializer(registry, (SCHEMAS / file).read_text(encoding="utf-8"))


deserializers = {
    DLR_TOPIC: deserializer("delivery-receipt.avsc"),
    MO_TOPIC: deserializer("inbound-message.avsc"),
    DEAD_LETTER_TOPIC: deserializer("dead-letter.avsc"),
}


def outcome_of(receipt):
    """UNKNOWN also stands for every status that a newer schema adds. `final` holds whatever the status is."""
    if receipt["status"] == "DELIVERED":
        return "delivered"
    if receipt["status"] in FAILED:
        return "failed"
    return "ended" if receipt["final"] else "pending"


def to_json(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {name: to_json(each) for name, each in value.items()}
    return value


def print_record(message, value):
    line = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": message.key().decode("utf-8"),
        "headers": {name: header.decode("utf-8") for name, header in message.headers()},
        "value": to_json(value),
    }
    if message.topic() == DLR_TOPIC:
        line["outcome"] = outcome_of(value)
    print(json.dumps(line, ensure_ascii=False), flush=True)


def main():
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:9092"),
            "group.id": os.environ.get("GROUP_ID", "sms-example-python"),
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    joiners = {}
    stopping = False

    def stop(*_):
        nonlocal stopping
        stopping = True

    def forget(_, partitions):
        # The next owner of the partition reads the parts that were waiting again.
        for partition in partitions:
            joiners.pop((partition.topic, partition.partition), None)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    consumer.subscribe(list(deserializers), on_revoke=forget, on_lost=forget)
    while not stopping:
        positions = {}
        for message in consumer.consume(num_messages=500, timeout=0.5):
            if message.error() is not None:
                raise KafkaException(message.error())
            topic, place = message.topic(), (message.topic(), message.partition())
            context = SerializationContext(topic, MessageField.VALUE)
            value = deserializers[topic](message.value(), context)
            joiner = joiners.setdefault(place, DeadLetterJoiner())
            if topic == DEAD_LETTER_TOPIC:
                value = joiner.add(value, message.offset())
            if value is not None:
                print_record(message, value)
            first_open = joiner.first_open_offset()
            positions[place] = message.offset() + 1 if first_open is None else first_open
        if positions:
            consumer.commit(offsets=[TopicPartition(*place, offset) for place, offset in positions.items()], asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
