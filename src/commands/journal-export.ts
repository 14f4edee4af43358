/**
 * `journal export` writes the entries of a journal as JSON lines, and their bodies as files. It changes nothing in the journal, and
 * may run beside the connector that holds it.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createLog } from '../admin/log.js'
import { kafkaSettings } from '../app/publishing.js'
import type { Config } from '../config/types.js'
import { systemClock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { findHolder } from '../journal/directory-lock.js'
import { missingKeyError } from '../journal/entry-codec.js'
import {
  EXPORT_FORMAT,
  EXPORT_VERSION,
  type ExportedPosition,
  type ExportEnd,
  type ExportHeader,
  formatExportedEntry,
} from '../journal/export-format.js'
import type { JournalReader } from '../journal/journal-reader.js'
import { fetchJournalPosition } from '../kafka/other-journals.js'
import { type JournalOptions, openJournal, stopOnTermination } from './journal.js'
import { LineOutput, printOutput, warn } from './output.js'

export interface JournalExportOptions extends JournalOptions {
  /** The file that the JSON lines are written to; standard output if left out. */
  readonly output?: string
  /** The directory that the bodies are written to. */
  readonly raw?: string
  /** Whether Kafka is not asked for the position. */
  readonly offline: boolean
}

/** What an export contains is personal data, so only its owner may read it. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

const NOTE =
  'The items of an entry have the same event ids wherever they are published: by their identity or, if they have none, by journal, ' +
  'seq and their index in the entry. Entries up to position.upTo are published already, and of the next one as many items as ' +
  'position.place says. The journal still holds all of them: publish either from it or from this file, not from both.'

/** Where the lines of an export go. */
interface LineSink {
  write(line: string): Promise<void>
  /** Resolves when everything is written and, if it is a file, durable. */
  end(): Promise<void>
  /** Aborts when nobody reads the lines any more. */
  readonly closedSignal: AbortSignal | undefined
}

/**
 * @throws ConnectorError USAGE, CONFIG_INVALID, NO_JOURNAL; JOURNAL_UNUSABLE if entries can't be read, after all others were
 *   written
 */
export async function exportJournal(options: JournalExportOptions): Promise<number> {
  const { reader, config } = openJournal(options)
  const stop = stopOnTermination()
  try {
    const missing = reader.countByMissingKey()
    if (missing.size > 0) throw missingKeyError(reader.directory, missing)
    const header = await describeJournal(reader, config, options.offline)
    if (header.heldBy !== null) warn(`the journal is held by ${header.heldBy}, which publishes these entries itself`)
    const raw = options.raw === undefined ? undefined : createRawDirectory(resolve(options.raw))
    const sink = options.output === undefined ? createStdoutSink() : createFileSink(resolve(options.output))
    const signals = [stop.signal, ...(sink.closedSignal ? [sink.closedSignal] : [])]
    const result = await writeExport(reader, header, sink, raw, AbortSignal.any(signals))
    if (result === 'stopped') {
      if (stop.signal.aborted) warn('the export is not complete, because a signal ended it')
      return 0
    }
    await report(result, header, options)
    return 0
  } finally {
    stop.dispose()
    reader.close()
  }
}

async function describeJournal(
  reader: JournalReader,
  config: Config | undefined,
  isOffline: boolean,
): Promise<ExportHeader> {
  return {
    format: EXPORT_FORMAT,
    version: EXPORT_VERSION,
    journal: reader.id,
    instance: config?.instance ?? null,
    exportedAt: systemClock.now(),
    releasedUpTo: reader.releasedUpTo,
    lastSeq: reader.lastSeq,
    position: isOffline ? null : await findPosition(reader, config),
    positionTopic: config === undefined ? null : kafkaSettings(config).topics.deadLetter,
    heldBy: (await findHolder(reader.directory)) ?? null,
    note: NOTE,
  }
}

/** @returns null if it can't be found out, with a warning */
async function findPosition(reader: JournalReader, config: Config | undefined): Promise<ExportedPosition | null> {
  const consequence = 'so the file does not say which entries are published already (position)'
  if (config === undefined) {
    warn(`no configuration names the brokers, ${consequence}`)
    return null
  }
  if (config.kafka.delivery !== 'exactly-once') {
    warn(`with kafka.delivery: at-least-once Kafka holds no position, ${consequence}`)
    return null
  }
  const log = createLog({ ...config.log, level: 'silent', instance: config.instance }, { write: () => undefined })
  try {
    const stored = await fetchJournalPosition(kafkaSettings(config), reader.id, systemClock, log)
    if (stored !== null) return { upTo: stored.position, place: stored.metadata }
    return { upTo: reader.releasedUpTo, place: '' }
  } catch (error) {
    warn(`the position can't be read: ${messageOf(error)}; ${consequence}`)
    return null
  }
}

/** Entries that are written before signals are handled again. */
const ENTRIES_PER_TURN = 200

async function writeExport(
  reader: JournalReader,
  header: ExportHeader,
  sink: LineSink,
  rawDirectory: string | undefined,
  signal: AbortSignal,
): Promise<ExportEnd | 'stopped'> {
  await sink.write(JSON.stringify(header))
  let entries = 0
  let unreadable = 0
  for (const each of reader.entries(header.lastSeq)) {
    if ((entries + unreadable) % ENTRIES_PER_TURN === 0) await new Promise(setImmediate)
    if (signal.aborted) return 'stopped'
    if ('problem' in each) {
      unreadable++
      warn(`entry ${each.seq} is left out: ${each.problem}`)
      continue
    }
    entries++
    await sink.write(formatExportedEntry(each.entry, header.journal))
    if (rawDirectory === undefined) continue
    writeFileSync(join(rawDirectory, `${each.seq}.body`), each.entry.body, { mode: FILE_MODE, flag: 'wx' })
  }
  const end: ExportEnd = { end: true, entries, unreadable }
  await sink.write(JSON.stringify(end))
  await sink.end()
  return end
}

async function report(
  { entries, unreadable }: ExportEnd,
  { journal, position, lastSeq }: ExportHeader,
  { json, output, raw }: JournalExportOptions,
): Promise<void> {
  const summary = { ok: unreadable === 0, journal, entries, unreadable, lastSeq, position, output, raw }
  // Without a file, standard output has the entries.
  if (json && output !== undefined) await printOutput(`${JSON.stringify(summary)}\n`)
  if (!json) warn(`exported ${entries} entries of journal ${journal}; they hold personal data`)
  if (unreadable === 0) return
  throw new ConnectorError(
    'JOURNAL_UNUSABLE',
    `${unreadable} entries can't be read and are not in the export, which has all others; the lines above name them`,
  )
}

/** @throws ConnectorError USAGE if the directory is not empty */
function createRawDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })
    if (readdirSync(directory).length === 0) return directory
  } catch (error) {
    throw new ConnectorError('USAGE', `--raw: ${directory} can't be used: ${messageOf(error)}`, { cause: error })
  }
  throw new ConnectorError(
    'USAGE',
    `--raw: ${directory} is not empty; name a directory that is empty or does not exist`,
  )
}

/** @throws ConnectorError USAGE if the file exists or can't be made */
function createFileSink(file: string): LineSink {
  const descriptor = createFile(file)
  return {
    closedSignal: undefined,
    write: (line) => {
      const bytes = Buffer.from(`${line}\n`)
      let written = 0
      while (written < bytes.length) written += writeSync(descriptor, bytes, written)
      return Promise.resolve()
    },
    end: () => {
      fsyncSync(descriptor)
      closeSync(descriptor)
      return Promise.resolve()
    },
  }
}

function createFile(file: string): number {
  try {
    return openSync(file, 'wx', FILE_MODE)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const remedy =
      code === 'EEXIST' ? 'nothing is overwritten; name another file' : 'check the directory and its rights'
    throw new ConnectorError('USAGE', `--output: ${file} can't be created: ${messageOf(error)}; ${remedy}`, {
      cause: error,
    })
  }
}

function createStdoutSink(): LineSink {
  const output = new LineOutput(process.stdout)
  return { write: (line) => output.writeExactly(line), end: () => output.flush(), closedSignal: output.closedSignal }
}
