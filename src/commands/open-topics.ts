/** Opens topics for the commands that show or replay what is on them. */
import { createLog } from '../admin/log.js'
import { kafkaSettings } from '../app/publishing.js'
import type { Config } from '../config/types.js'
import { systemClock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { CommittedRecordReader } from '../kafka/committed-record-reader.js'
import { formatKafkaError } from '../kafka/kafka-errors.js'
import { warn } from './output.js'

/** After so many failures of a request in a row the reason is printed. The first one may be due to an idle connection. */
const REPORTED_FAILURE = 2

/** A log that drops every line: commands print what their users should know. */
export const silentLog = (config: Config): Log =>
  createLog({ ...config.log, level: 'silent', instance: config.instance }, { write: () => undefined })

/** @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING */
export function openTopics(config: Config, topics: readonly string[]): Promise<CommittedRecordReader> {
  return CommittedRecordReader.open({
    settings: kafkaSettings(config),
    topics,
    clock: systemClock,
    log: silentLog(config),
    onRetry: (error, attempts) => {
      if (attempts !== REPORTED_FAILURE) return
      warn(`reading from Kafka failed and is repeated: ${formatKafkaError(error)}`)
    },
  })
}
