/** Warnings about settings that are allowed, but probably not intended. `run` logs them, `check` prints them. */
import type { Config, SourceConfig } from './types.js'
import { formatDuration, formatSize } from './units.js'

/** One sentence for each warning, beginning with the key. It contains no secret. */
export const configurationWarnings = (config: Config): string[] => [
  ...kafkaWarnings(config),
  ...[...config.sources.values()].flatMap((source) => [
    ...pullWarnings(source, config),
    ...callbackWarnings(source, config),
    ...reconcileWarnings(source, config),
  ]),
  ...sharedQueueWarnings(config),
]

const kafkaWarnings = ({ kafka }: Config): string[] => {
  if (kafka.tls !== undefined || kafka.sasl?.mechanism !== 'plain') return []
  return [
    'kafka.sasl: mechanism plain without kafka.tls sends the password unencrypted over the network; set kafka.tls',
  ]
}

const pullWarnings = ({ name, pull }: SourceConfig, { journal }: Config): string[] => {
  if (pull === undefined || pull.maxAnswer <= journal.maxBytes) return []
  const sizes = `${formatSize(pull.maxAnswer)} do not fit into journal.maxBytes (${formatSize(journal.maxBytes)})`
  return [
    `sources.${name}.pull.maxAnswer: ${sizes}; the connector pulls only while half of the journal is free, and one answer may exceed maxBytes`,
  ]
}

const callbackWarnings = ({ name, callback }: SourceConfig, { callbacks, journal }: Config): string[] => {
  if (callback === undefined) return []
  const warnings: string[] = []
  if (callback.open) {
    warnings.push(`sources.${name}.callback.open: anyone who can reach the port can submit receipts and messages`)
  }
  if (callbacks.bodyLimit > journal.maxBytes) {
    warnings.push('callbacks.bodyLimit: is more than journal.maxBytes, so the largest callbacks always get 503')
  }
  return warnings
}

const DAY_MS = 86_400_000

const reconcileWarnings = ({ name, reconcile }: SourceConfig, { duplicates }: Config): string[] => {
  if (reconcile === undefined) return []
  const { giveUpAfter, log } = reconcile
  const warnings: string[] = []
  if (giveUpAfter > duplicates.remember) {
    warnings.push(
      `sources.${name}.reconcile.giveUpAfter: ${formatDuration(giveUpAfter)} is longer than duplicates.remember, so a receipt that is queried late may be published twice`,
    )
  }
  // One day more than `days` is read, because the provider's days may differ from ours by a time zone.
  const readBackMs = (log.days + 1) * DAY_MS
  if (readBackMs > duplicates.remember) {
    warnings.push(
      `sources.${name}.reconcile.log.days: the log is read ${formatDuration(readBackMs)} back, longer than duplicates.remember, so items that are found again are published again`,
    )
  }
  return warnings
}

const sharedQueueWarnings = ({ sources }: Config): string[] => {
  const sourceByAccount = new Map<string, string>()
  const warnings: string[] = []
  for (const { name, pull } of sources.values()) {
    if (pull === undefined) continue
    const account = JSON.stringify([pull.url, pull.username, pull.serviceId])
    const other = sourceByAccount.get(account)
    if (other === undefined) sourceByAccount.set(account, name)
    else warnings.push(`sources.${name}.pull: pulls from the same queue as sources.${other}.pull; remove one of them`)
  }
  return warnings
}
