"""Reads topics from their beginning to their end with librdkafka and fastavro, and with the schemas of the registry.

Usage: consume.py BROKERS REGISTRY_URL TOPIC...

Prints one JSON object for each committed record: topic, partition, offset, key, headers, value. Bytes are printed as
base64, and times as milliseconds since the epoch. Needs the packages confluent-kafka[avro,schemaregistry].
"""

import base64
import datetime
import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


def to_json(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: to_json(each) for key, each in value.items()}
    return value


def main(brokers, registry_url, topics):
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "independent",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    decode = AvroDeserializer(SchemaRegistryClient({"url": registry_url}))
    metadata = consumer.list_topics(timeout=30).topics
    unread = {(topic, partition) for topic in topics for partition in metadata[topic].partitions}
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in unread])
    while unread:
        message = consumer.poll(30)
        if message is None:
            raise TimeoutError(f"{len(unread)} partitions were not read to their end")
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            unread.discard((message.topic(), message.partition()))
        elif error is not None:
            raise KafkaException(error)
        else:
            context = SerializationContext(message.topic(), MessageField.VALUE, message.headers())
            record = {
                "topic": message.topic(),
                "partition": message.partition(),
                "offset": message.offset(),
                "key": message.key().decode("utf-8"),
                "headers": {name: each.decode("utf-8") for name, each in message.headers()},
                "value": to_json(decode(message.value(), context)),
            }
            print(json.dumps(record))
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
