/** Warnings about settings that are allowed, but probably not intended. `run` logs them, `check` prints them. */
import { DAY_MS } from '../core/clock.js'
import { isLoopback } from '../http-server/local-host.js'
import type { Config, SourceConfig } from './types.js'
import { formatDuration, formatSize } from './units.js'

/** One sentence for each warning, beginning with the key. It contains no secret. */
export const configurationWarnings = (config: Config): string[] => [
  ...kafkaWarnings(config),
  ...adminWarnings(config),
  ...unencryptedWarnings(config),
  ...recordWarnings(config),
  ...[...config.sources.values()].flatMap((source) => [...secretWarnings(source), ...sourceWarnings(source, config)]),
  ...sharedQueueWarnings(config),
]

function* kafkaWarnings({ kafka }: Config): Generator<string> {
  if (kafka.tls === undefined && kafka.sasl?.mechanism === 'plain') {
    yield 'kafka.sasl: mechanism plain without kafka.tls sends the password unencrypted over the network; set kafka.tls'
  }
}

/** Names the addresses that credentials are sent to without TLS, except those of this machine. */
function* unencryptedWarnings({ kafka, registry, sources }: Config): Generator<string> {
  const { sasl } = kafka
  if (sasl !== undefined && 'tokenEndpoint' in sasl && isUnencrypted(sasl.tokenEndpoint)) {
    yield 'kafka.sasl.tokenEndpoint: http:// sends the client secret unencrypted over the network; use https://'
  }
  if (registry.auth !== undefined && isUnencrypted(registry.url)) {
    yield 'registry.url: http:// sends registry.auth unencrypted over the network; use https://'
  }
  for (const { name, pull, reconcile } of sources.values()) {
    if (pull !== undefined && isUnencrypted(pull.url)) {
      yield `sources.${name}.pull.url: http:// sends the password, and receives numbers and texts, unencrypted over the network; use https://`
    }
    if (reconcile !== undefined && isUnencrypted(reconcile.url)) {
      yield `sources.${name}.reconcile.url: http:// sends the API key, and receives numbers and texts, unencrypted over the network; use https://`
    }
  }
}

const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/

const isUnencrypted = (address: string): boolean => {
  const { protocol, hostname } = new URL(address)
  return protocol === 'http:' && !LOOPBACK.test(hostname)
}

function* recordWarnings({ records: { mo } }: Config): Generator<string> {
  if (mo.text !== 'plain' && mo.raw === 'plain') {
    yield `records.mo.text: is ${mo.text}, and raw still holds the text as the provider sent it; set records.mo.raw to masked or omitted as well`
  }
}

/** Shorter secrets can be guessed, even if they are random. */
const MIN_SECRET_LENGTH = 12

const isShort = (secrets: readonly string[] = []): boolean => secrets.some(({ length }) => length < MIN_SECRET_LENGTH)
const shortSecret = (key: string): string =>
  `${key}: has fewer than ${MIN_SECRET_LENGTH} characters and can be guessed; "openssl rand -hex 32" makes a better one`

function* adminWarnings({ admin }: Config): Generator<string> {
  if (isShort(admin.token)) yield shortSecret('admin.token')
  if (admin.token === undefined && !isLoopback(admin.host)) {
    yield `admin.token: is missing, and admin.host is ${admin.host}: whoever reaches the port reads the status and adds to the watch list; set a token, or let only probes and Prometheus reach it`
  }
}

function* secretWarnings({ name, callback }: SourceConfig): Generator<string> {
  const at = `sources.${name}.callback`
  if (isShort(callback?.token)) yield shortSecret(`${at}.token`)
  if (isShort(callback?.basic?.password)) yield shortSecret(`${at}.basic.password`)
  if (isShort(callback?.signingKey)) yield shortSecret(`${at}.signingKey`)
}

function* sourceWarnings({ name, pull, callback, reconcile }: SourceConfig, config: Config): Generator<string> {
  const { journal, callbacks, duplicates } = config
  if (pull !== undefined && pull.maxAnswer > journal.maxBytes) {
    const sizes = `${formatSize(pull.maxAnswer)} do not fit into journal.maxBytes (${formatSize(journal.maxBytes)})`
    yield `sources.${name}.pull.maxAnswer: ${sizes}; the connector pulls only while half of the journal is free, and one answer may exceed maxBytes; raise journal.maxBytes, or lower maxAnswer`
  }
  if (callback?.open) {
    yield `sources.${name}.callback.open: anyone who can reach the port can submit receipts and messages`
  }
  if (callback !== undefined && callbacks.bodyLimit > journal.maxBytes) {
    yield 'callbacks.bodyLimit: is more than journal.maxBytes, so the largest callbacks always get 503'
  }
  if (reconcile === undefined) return
  const { giveUpAfter, log } = reconcile
  if (giveUpAfter > duplicates.remember) {
    yield `sources.${name}.reconcile.giveUpAfter: ${formatDuration(giveUpAfter)} is longer than duplicates.remember, so a receipt that is queried late may be published twice`
  }
  // One day more than `days` is read, because the provider's days may differ from ours by a time zone.
  const readBackMs = (log.days + 1) * DAY_MS
  if (readBackMs > duplicates.remember) {
    yield `sources.${name}.reconcile.log.days: the log is read ${formatDuration(readBackMs)} back, longer than duplicates.remember, so items that are found again are published again`
  }
}

function* sharedQueueWarnings({ sources }: Config): Generator<string> {
  const sourceByAccount = new Map<string, string>()
  for (const { name, pull } of sources.values()) {
    if (pull === undefined) continue
    const account = JSON.stringify([pull.url, pull.username, pull.serviceId])
    const other = sourceByAccount.get(account)
    if (other === undefined) sourceByAccount.set(account, name)
    else yield `sources.${name}.pull: pulls from the same queue as sources.${other}.pull; remove one of them`
  }
}
