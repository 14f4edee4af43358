/**
 * `journal status` and `journal list` show what a journal holds: beside the connector that holds it, and on a volume that was left
 * behind. They change nothing.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { encryptionKeysOf } from '../app/open-journal.js'
import { sourceFinder } from '../app/source-finder.js'
import { readConfiguration } from './configuration.js'
import { ENCRYPTION_KEY_EXPECTED, parseEncryptionKey } from '../config/encryption-key.js'
import type { Config } from '../config/types.js'
import { orAborted } from '../core/abort.js'
import { systemClock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { readRegularFile } from '../core/files.js'
import { DATA_VERSION } from '../journal/data-file-reader.js'
import { findHolder } from '../journal/directory-lock.js'
import { diskSpace } from '../journal/disk-reserve.js'
import type { EncryptionKeys } from '../journal/entry-codec.js'
import type { Entry } from '../journal/journal.js'
import { JournalReader } from '../journal/journal-reader.js'
import { quote } from '../masking/known-secrets.js'
import { personalDataMask } from '../masking/personal-data.js'
import { decode } from '../pipeline/decode.js'
import { parseCount, parseTime } from './option-values.js'
import { LineOutput, printOutput, warn } from './output.js'
import { onTermination } from './signals.js'

export interface JournalOptions {
  readonly config: string
  readonly json: boolean
  /** The directory of the journal, in place of `journal.directory` of the configuration. */
  readonly directory?: string
  /** Files that hold keys which entries are decrypted with, beside those of the configuration. */
  readonly encryptionKeyFile?: readonly string[]
}

export interface JournalListOptions extends JournalOptions {
  readonly source?: string
  readonly since?: string
  readonly until?: string
  readonly limit?: string
}

/** A journal, with what the configuration says about it if there is one. */
export interface LocatedJournal {
  readonly reader: JournalReader
  readonly config: Config | undefined
}

/**
 * Opens the journal that the options name. With a directory the configuration may be missing or incomplete, as it is on
 * another machine. It is only needed for decoding and for Kafka then.
 * @throws ConnectorError USAGE, CONFIG_INVALID, NO_JOURNAL, JOURNAL_UNUSABLE
 */
export function openJournal({ config: file, directory, encryptionKeyFile = [] }: JournalOptions): LocatedJournal {
  const keysOfFiles = encryptionKeyFile.map(readEncryptionKey)
  if (directory === undefined) {
    const config = readConfiguration(file)
    const keys = withKeys(encryptionKeysOf(config.journal), keysOfFiles)
    return { reader: JournalReader.open(resolve(config.journal.directory), keys), config }
  }
  const config = loadConfigIfPossible(file)
  const keys = withKeys(config ? encryptionKeysOf(config.journal) : {}, keysOfFiles)
  return { reader: JournalReader.open(resolve(directory), keys), config }
}

function loadConfigIfPossible(file: string): Config | undefined {
  if (!existsSync(file)) return undefined
  try {
    return readConfiguration(file)
  } catch (error) {
    warn(`going on without the configuration: ${messageOf(error)}`)
    return undefined
  }
}

const withKeys = (keys: EncryptionKeys, more: readonly Uint8Array[]): EncryptionKeys => ({
  ...keys,
  previousKeys: [...(keys.previousKeys ?? []), ...more],
})

/** A key with its line break, and nothing else, is shorter. */
const MAX_KEY_FILE_BYTES = 1024

/** @throws ConnectorError USAGE */
function readEncryptionKey(file: string): Uint8Array {
  let text: string
  try {
    text = readRegularFile(file, MAX_KEY_FILE_BYTES).toString('utf8')
  } catch (error) {
    throw new ConnectorError('USAGE', `--encryption-key-file: ${file} can't be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const key = parseEncryptionKey(text.trim())
  if (key !== undefined) return key
  throw new ConnectorError('USAGE', `--encryption-key-file: ${file} does not hold ${ENCRYPTION_KEY_EXPECTED}`)
}

/** How many entries are encrypted with a key. */
interface KeyUse {
  readonly id: string
  readonly entries: number
  /** False if the key is not given, so that its entries are counted and not read. */
  readonly isKnown: boolean
}

interface SourceCount {
  readonly entries: number
  /** The sum of the bodies. */
  readonly bodyBytes: number
  /** Milliseconds since the epoch. */
  readonly oldestReceivedAt: number
}

/** What `journal status --json` prints. Times are milliseconds since the epoch. */
interface JournalStatus {
  readonly ok: true
  readonly journal: string
  readonly instance: string | null
  readonly directory: string
  /** Which process holds the journal; null if none does. */
  readonly heldBy: string | null
  readonly entries: number
  readonly bytes: number
  readonly maxBytes: number | null
  readonly oldest: {
    readonly seq: number
    readonly source: string
    readonly receivedAt: number
    readonly ageMs: number
  } | null
  readonly sources: Readonly<Record<string, SourceCount>>
  /** The number of entries that are damaged. Those whose key is missing are not among them. */
  readonly unreadableEntries: number
  readonly encryption: {
    /** The id of the key that new entries are encrypted with; null if they are written plain or no configuration was read. */
    readonly currentKey: string | null
    readonly plainEntries: number
    readonly keys: readonly KeyUse[]
  }
  readonly releasedUpTo: number
  readonly eventIds: number
  readonly watchedMessages: number
  readonly nonces: number
  readonly dataFile: { readonly path: string; readonly bytes: number; readonly version: number }
  readonly freeBytes: number
}

/** @throws ConnectorError CONFIG_INVALID, NO_JOURNAL, JOURNAL_UNUSABLE */
export async function showJournalStatus(options: JournalOptions): Promise<number> {
  const { reader, config } = openJournal(options)
  const stop = stopOnTermination()
  try {
    const status = await readStatus(reader, config, stop.signal)
    if (status === undefined) return 0
    await printOutput(options.json ? `${JSON.stringify(status)}\n` : formatStatus(status))
    return 0
  } finally {
    stop.dispose()
    reader.close()
  }
}

/** Entries that are read before signals are handled again. */
const ENTRIES_PER_TURN = 500

/** @returns undefined if the signal aborts */
async function readStatus(
  reader: JournalReader,
  config: Config | undefined,
  signal: AbortSignal,
): Promise<JournalStatus | undefined> {
  const { directory, dataFile } = reader
  const heldBy = (await findHolder(directory)) ?? null
  const { entries, entryBytes, eventIds, watchedMessages, nonces } = reader.sizes
  const { releasedUpTo } = reader
  const counts = await countBySource(reader, signal)
  if (signal.aborted) return undefined
  return {
    ok: true,
    journal: reader.id,
    instance: config?.instance ?? null,
    directory,
    heldBy,
    entries,
    bytes: entryBytes,
    maxBytes: config?.journal.maxBytes ?? null,
    ...counts,
    releasedUpTo,
    eventIds,
    watchedMessages,
    nonces,
    dataFile: { path: dataFile, bytes: reader.fileBytes, version: DATA_VERSION },
    freeBytes: diskSpace(directory).free,
  }
}

async function countBySource(
  reader: JournalReader,
  signal: AbortSignal,
): Promise<Pick<JournalStatus, 'oldest' | 'sources' | 'unreadableEntries' | 'encryption'>> {
  const now = systemClock.now()
  const sources = new Map<string, SourceCount>()
  let oldest: JournalStatus['oldest'] = null
  const keys = new Map<string, KeyUse>()
  let unreadableEntries = 0
  let plainEntries = 0
  let read = 0
  for (const each of reader.entries()) {
    read++
    if (read % ENTRIES_PER_TURN === 0) await new Promise(setImmediate)
    if (signal.aborted) break
    const { keyId, isKeyMissing } = each.encryption
    if (keyId !== null) {
      const entries = (keys.get(keyId)?.entries ?? 0) + 1
      keys.set(keyId, { id: keyId, entries, isKnown: !isKeyMissing })
    }
    if ('problem' in each) {
      if (!isKeyMissing) unreadableEntries++
      continue
    }
    if (keyId === null) plainEntries++
    const { seq, source, receivedAt, body } = each.entry
    oldest ??= { seq, source, receivedAt, ageMs: Math.max(0, now - receivedAt) }
    const count = sources.get(source) ?? { entries: 0, bodyBytes: 0, oldestReceivedAt: receivedAt }
    sources.set(source, {
      entries: count.entries + 1,
      bodyBytes: count.bodyBytes + body.byteLength,
      oldestReceivedAt: Math.min(count.oldestReceivedAt, receivedAt),
    })
  }
  const encryption = { currentKey: reader.currentKeyId, plainEntries, keys: [...keys.values()] }
  return { oldest, sources: Object.fromEntries(sources), unreadableEntries, encryption }
}

function formatStatus(status: JournalStatus): string {
  const { oldest, dataFile, maxBytes } = status
  const limit = maxBytes === null ? '' : ` of at most ${formatBytes(maxBytes)}`
  const rows: [string, string][] = [
    ['journal', status.journal],
    ['instance', status.instance ?? 'unknown, because no configuration was read'],
    ['directory', status.directory],
    ['held by', status.heldBy ?? 'no process'],
    ['entries', `${status.entries}, ${formatBytes(status.bytes)}${limit}`],
    [
      'oldest',
      oldest === null
        ? 'none'
        : `received ${formatAge(oldest.ageMs)} ago (${formatTime(oldest.receivedAt)}) from ${oldest.source}, number ${oldest.seq}`,
    ],
    ...Object.entries(status.sources).map(([source, count]): [string, string] => [
      `  ${source}`,
      `${count.entries} entries, ${formatBytes(count.bodyBytes)} of bodies, oldest ${formatTime(count.oldestReceivedAt)}`,
    ]),
    ...(status.unreadableEntries > 0
      ? [['damaged', `${status.unreadableEntries} entries can't be read`] as [string, string]]
      : []),
    ...encryptionRows(status),
    ['released up to', status.releasedUpTo < 0 ? 'nothing yet' : String(status.releasedUpTo)],
    ['remembered', `${status.eventIds} event ids, ${status.nonces} nonces`],
    ['watch list', `${status.watchedMessages} messages`],
    ['data file', `${dataFile.path}, ${formatBytes(dataFile.bytes)}, version ${dataFile.version} of LMDB's format`],
    ['free', `${formatBytes(status.freeBytes)} on the disk`],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}

/** @returns no row for a journal without encryption */
function encryptionRows({ encryption: { currentKey, plainEntries, keys } }: JournalStatus): [string, string][] {
  if (currentKey === null && keys.length === 0) return []
  const written = currentKey === null ? 'new entries are not encrypted' : `new entries with key ${currentKey}`
  return [
    ['encryption', written],
    ...keys.map(({ id, entries, isKnown }): [string, string] => [
      '',
      `${entries} entries with key ${id}${isKnown ? '' : ", which is not given, so they can't be read"}`,
    ]),
    ['', `${plainEntries} entries not encrypted`],
  ]
}

/** What `journal list --json` prints for each entry. */
interface ListedEntry {
  readonly seq: number
  readonly source?: string
  readonly provider?: string
  readonly via?: string
  /** Milliseconds since the epoch. */
  readonly receivedAt?: number
  readonly bytes?: number
  /** The number of items of each kind; null without a configuration. */
  readonly items?: { readonly dlr: number; readonly mo: number; readonly 'dead-letter': number } | null
  /** Reason and detail of the first dead letter, or why the entry can't be read. */
  readonly problem?: string
}

/** @throws ConnectorError USAGE, CONFIG_INVALID, NO_JOURNAL, JOURNAL_UNUSABLE */
export async function listJournal(options: JournalListOptions): Promise<number> {
  const now = systemClock.now()
  const { source, limit } = options
  const since = options.since === undefined ? -Infinity : parseTime('--since', options.since, now)
  const until = options.until === undefined ? Infinity : parseTime('--until', options.until, now)
  const maxCount = limit === undefined ? Infinity : parseCount('--limit', limit)
  const { reader, config } = openJournal(options)
  const stop = stopOnTermination()
  const output = new LineOutput(process.stdout)
  const ended = AbortSignal.any([stop.signal, output.closedSignal])
  const findSource = config && sourceFinder(config)
  const listEntries = async (): Promise<void> => {
    let count = 0
    let read = 0
    for (const each of reader.entries()) {
      if (ended.aborted || count >= maxCount) break
      read++
      if (read % ENTRIES_PER_TURN === 0) await new Promise(setImmediate)
      if ('entry' in each) {
        const { entry } = each
        const isWanted = entry.receivedAt >= since && entry.receivedAt <= until
        if (!isWanted || (source !== undefined && entry.source !== source)) continue
      }
      count++
      const listed =
        'entry' in each ? describeEntry(each.entry, reader.id, findSource) : { seq: each.seq, problem: each.problem }
      await output.write(options.json ? JSON.stringify(listed) : formatListed(listed))
    }
    await output.flush()
  }
  try {
    await orAborted(listEntries(), ended)
    return 0
  } finally {
    stop.dispose()
    reader.close()
  }
}

const maskPeople = personalDataMask('masked').sentence

function describeEntry(
  entry: Entry,
  journalId: string,
  findSource: ReturnType<typeof sourceFinder> | undefined,
): ListedEntry {
  const { seq, source, provider, via, receivedAt, body } = entry
  const listed = { seq, source, provider, via, receivedAt, bytes: body.byteLength }
  if (findSource === undefined) return { ...listed, items: null }
  const items = { dlr: 0, mo: 0, 'dead-letter': 0 }
  let problem: string | undefined
  for (const { event } of decode(entry, findSource(source), journalId)) {
    items[event.kind]++
    if (event.kind === 'dead-letter') problem ??= `${event.reason}: ${event.detail}`
  }
  return { ...listed, items, ...(problem !== undefined && { problem: maskPeople(quote(problem)) }) }
}

function formatListed({ seq, source = '-', via = '-', receivedAt, bytes, items, problem }: ListedEntry): string {
  const time = receivedAt === undefined ? '-' : formatTime(receivedAt)
  const size = bytes === undefined ? '-' : String(bytes)
  return [seq, time, via.padEnd(8), source, `${size} bytes`, formatItems(items), problem ?? ''].join('  ').trimEnd()
}

function formatItems(items: ListedEntry['items']): string {
  if (items === undefined) return 'unreadable'
  if (items === null) return 'not decoded without a configuration'
  const counts = Object.entries(items).filter(([, count]) => count > 0)
  return counts.map(([kind, count]) => `${count} ${kind}`).join(', ') || 'no item'
}

const formatTime = (ms: number): string => new Date(ms).toISOString()

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}

/** The largest unit that fits, and how many of the next one it has. */
function formatAge(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600), Math.floor(seconds / 86_400)]
  if (days > 0) return `${days} d ${hours % 24} h`
  if (hours > 0) return `${hours} h ${minutes % 60} min`
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`
  return `${seconds} s`
}

/** A signal that aborts at SIGTERM or SIGINT, after which a command that only reads ends with 0. */
export function stopOnTermination(): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const stop = new AbortController()
  const dispose = onTermination(() => stop.abort())
  return { signal: stop.signal, dispose }
}
