/** What is allowed, but likely not meant. For the log at start and for `check`; nothing is refused for it. */
import type { Config, SourceConfig } from './types.js'
import { formatDuration, formatSize } from './units.js'

/** One sentence each, beginning with the key. Without secrets. */
export const configurationWarnings = (config: Config): string[] => [
  ...adviceOnKafka(config),
  ...[...config.sources.values()].flatMap((source) => [
    ...adviceOnPull(source, config),
    ...adviceOnCallback(source, config),
    ...adviceOnReconcile(source, config),
  ]),
  ...adviceOnSharedAccounts(config),
]

const adviceOnKafka = ({ kafka }: Config): string[] => {
  if (kafka.tls !== undefined || kafka.sasl?.mechanism !== 'plain') return []
  return ['kafka.sasl: mechanism plain without kafka.tls sends the password readable over the network']
}

const adviceOnPull = ({ name, pull }: SourceConfig, { journal }: Config): string[] => {
  if (pull === undefined || pull.maxAnswer <= journal.maxBytes) return []
  const sizes = `${formatSize(pull.maxAnswer)} do not fit into journal.maxBytes (${formatSize(journal.maxBytes)})`
  return [`sources.${name}.pull.maxAnswer: ${sizes}; asked for only while half of it is free, and may overfill it`]
}

const adviceOnCallback = ({ name, callback }: SourceConfig, { callbacks, journal }: Config): string[] => {
  if (callback === undefined) return []
  const advice: string[] = []
  if (callback.open) advice.push(`sources.${name}.callback.open: anyone who reaches the port can hand in receipts`)
  if (callbacks.bodyLimit > journal.maxBytes) {
    advice.push('callbacks.bodyLimit: is more than journal.maxBytes, so the largest callbacks get 503 for ever')
  }
  return advice
}

const DAY = 86_400_000

const adviceOnReconcile = ({ name, reconcile }: SourceConfig, { duplicates }: Config): string[] => {
  if (reconcile === undefined) return []
  const { giveUpAfter, log } = reconcile
  const advice: string[] = []
  if (giveUpAfter > duplicates.remember) {
    const span = `${formatDuration(giveUpAfter)} is longer than duplicates.remember`
    advice.push(
      `sources.${name}.reconcile.giveUpAfter: ${span}, so a receipt that is asked for late may be published twice`,
    )
  }
  // The day before the first of them is read too.
  const read = (log.days + 1) * DAY
  if (read > duplicates.remember) {
    const span = `the log is read ${formatDuration(read)} back, longer than duplicates.remember`
    advice.push(`sources.${name}.reconcile.log.days: ${span}, so what it finds again is published again`)
  }
  return advice
}

const adviceOnSharedAccounts = ({ sources }: Config): string[] => {
  const first = new Map<string, string>()
  const advice: string[] = []
  for (const { name, pull } of sources.values()) {
    if (pull === undefined) continue
    const account = JSON.stringify([pull.url, pull.username, pull.serviceId])
    const other = first.get(account)
    if (other !== undefined) advice.push(`sources.${name}.pull: empties the same queue as sources.${other}.pull`)
    else first.set(account, name)
  }
  return advice
}
