"""Prints the attributes of CloudEvents and their data, read by the CloudEvents SDK, one JSON object in a line, until SIGTERM or SIGINT.

With the argument `v1` it uses the older interface of the SDK, `cloudevents.v1`, which was `cloudevents` before version 2.
"""

import base64
import json
import os
import signal
import sys
from datetime import datetime

from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.v1 import kafka as kafka_v1
from confluent_kafka import Consumer, KafkaException


class BytesFormat(JSONFormat):
    """Leaves the data as it is. JSONFormat returns a text wherever the bytes of Avro happen to be valid UTF-8."""

    def read_data(self, body, datacontenttype):
        return body


def read(message):
    event = kafka.from_binary(kafka.KafkaMessage(dict(message.headers()), message.key(), message.value()), BytesFormat())
    return event.get_attributes(), event.get_data()


def read_v1(message):
    """Without a `data_unmarshaller` this interface parses the data as JSON, and fails."""
    event = kafka_v1.from_binary(
        kafka_v1.KafkaMessage(dict(message.headers()), message.key(), message.value()),
        data_unmarshaller=lambda data: data,
    )
    attributes = dict(event.get_attributes())
    attributes["time"] = datetime.fromisoformat(attributes["time"].replace("Z", "+00:00"))
    return attributes, event.get_data()


def main(read_event):
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:9092"),
            "group.id": os.environ.get("GROUP_ID", "sms-example-cloudevents-python"),
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    stopping = False

    def stop(*_):
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    consumer.subscribe(
        [
            os.environ.get("DLR_TOPIC", "sms.dlr"),
            os.environ.get("MO_TOPIC", "sms.mo"),
            os.environ.get("DEAD_LETTER_TOPIC", "sms.dead-letter"),
        ]
    )
    while not stopping:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is not None:
            raise KafkaException(message.error())
        attributes, data = read_event(message)
        line = {name: attributes[name] for name in ("specversion", "id", "source", "type", "datacontenttype")}
        line["time"] = round(attributes["time"].timestamp() * 1000)
        line["data"] = base64.b64encode(data).decode("ascii")
        print(json.dumps(line), flush=True)
    consumer.close()


if __name__ == "__main__":
    main(read_v1 if sys.argv[1:] == ["v1"] else read)
