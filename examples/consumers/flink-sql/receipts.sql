-- The current state of each message, by the rule of docs/schema-evolution.md: final wins, then the later receipt.
-- The schema is the part of schemas/delivery-receipt.avsc that the table needs. Without it Flink expects a text for `status` and
-- refuses the enum. It has the same fields as the table, in the same order.
CREATE TABLE receipts (
  `source` STRING NOT NULL,
  `messageId` STRING NOT NULL,
  `recipient` STRING,
  `status` STRING NOT NULL,
  `final` BOOLEAN NOT NULL,
  `occurredAt` TIMESTAMP(3),
  `receivedAt` TIMESTAMP(3) NOT NULL
) WITH (
  'connector' = 'kafka',
  'topic' = 'sms.dlr',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'value.format' = 'avro-confluent',
  'value.avro-confluent.url' = 'http://localhost:8081',
  'value.avro-confluent.schema' = '{
    "type": "record", "name": "DeliveryReceipt", "namespace": "sms.events",
    "fields": [
      { "name": "source", "type": "string" },
      { "name": "messageId", "type": "string" },
      { "name": "recipient", "type": ["null", "string"], "default": null },
      { "name": "status", "type": { "type": "enum", "name": "DeliveryStatus", "default": "UNKNOWN", "symbols": [
        "SCHEDULED", "ENROUTE", "DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "ACCEPTED", "UNKNOWN", "REJECTED", "SKIPPED"
      ] } },
      { "name": "final", "type": "boolean" },
      { "name": "occurredAt", "type": ["null", { "type": "long", "logicalType": "timestamp-millis" }], "default": null },
      { "name": "receivedAt", "type": { "type": "long", "logicalType": "timestamp-millis" } }
    ]
  }'
);

SELECT `source`, `messageId`, `recipient`, `status`, `final`
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY `source`, `messageId`, `recipient`
    ORDER BY CASE WHEN `final` THEN 1 ELSE 0 END DESC, COALESCE(`occurredAt`, `receivedAt`) DESC, `receivedAt` DESC
  ) AS place
  FROM receipts
)
WHERE place = 1;
