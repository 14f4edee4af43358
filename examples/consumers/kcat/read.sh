#!/bin/sh
# Prints place, timestamp, key and headers of the records of the three topics, and the size of their values, until SIGTERM or SIGINT.
# One line for each record, its fields separated by tabs.
exec kcat -q -u \
  -b "${KAFKA_BROKERS:-localhost:9092}" \
  -X isolation.level=read_committed -X auto.offset.reset=earliest \
  -f '%t\t%p\t%o\t%T\t%k\t%h\t%S\n' \
  -G "${GROUP_ID:-sms-example-kcat}" "${DLR_TOPIC:-sms.dlr}" "${MO_TOPIC:-sms.mo}" "${DEAD_LETTER_TOPIC:-sms.dead-letter}"
