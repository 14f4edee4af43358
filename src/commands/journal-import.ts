/**
 * `journal import` hands in what `journal export` wrote: to the connector that holds the journal, or into the journal. What is
 * handed in is published once, however often the same file is imported into the same journal.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { kafkaSettings } from '../app/publishing.js'
import { sourceFinder } from '../app/source-finder.js'
import { readConfiguration } from './configuration.js'
import type { Config } from '../config/types.js'
import { systemClock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { dataFileOf } from '../journal/environment.js'
import { type ExportLine, ExportLineError, readExportFile, type ReadHeader } from '../journal/export-file.js'
import type { ExportedPosition } from '../journal/export-format.js'
import type { EntryWithOrigin } from '../journal/journal.js'
import { JournalReader } from '../journal/journal-reader.js'
import { fetchJournalPosition } from '../kafka/other-journals.js'
import { stopOnTermination } from './journal.js'
import { type JournalIntake, openJournalIntake } from './journal-intake.js'
import { silentLog } from './open-topics.js'
import { printOutput, warn } from './output.js'

export interface JournalImportOptions {
  readonly config: string
  readonly json: boolean
  /** Whether nothing is handed in. */
  readonly dryRun: boolean
  /** Whether a file without its end line is taken, up to its last whole line. */
  readonly allowIncomplete: boolean
}

interface ImportSummary {
  readonly ok: boolean
  /** The id of the journal that was exported. */
  readonly journal: string
  readonly entries: number
  /** Entries that are left out, because Kafka has their events. */
  readonly alreadyPublished: number
  /** Entries that are durable; with a dry run, those that would be handed in. */
  readonly handedIn: number
  /** Entries that the connector does not take. */
  readonly refused: number
  readonly dryRun: boolean
}

/**
 * @returns 0 if everything is handed in, 2 if an entry was refused
 * @throws ConnectorError USAGE if the file can't be read or a line of it is wrong, before anything is handed in; CONFIG_INVALID,
 *   JOURNAL_HELD, JOURNAL_FULL, JOURNAL_WRITE_FAILED, JOURNAL_UNUSABLE
 */
export async function importJournal(file: string, options: JournalImportOptions): Promise<number> {
  const config = readConfiguration(options.config)
  const header = await validateFile(file, config, options)
  refuseOwnJournal(config, header)
  const published = await findPublishedPosition(config, header)
  const stop = stopOnTermination()
  // A dry run leaves the journal alone.
  const intake = options.dryRun ? undefined : await openJournalIntake(config, { canCreate: true })
  try {
    const counts = await handInEntries(file, published, intake, options, stop.signal)
    const summary: ImportSummary = {
      ok: counts.refused === 0 && !stop.signal.aborted,
      journal: header.journal,
      ...counts,
      dryRun: options.dryRun,
    }
    await report(summary, intake, options)
    if (stop.signal.aborted) warn('a signal ended the import before its end; import the same file again')
    return summary.ok ? 0 : 2
  } finally {
    stop.dispose()
    await intake?.close()
  }
}

/** Reads the file to its end, so that nothing is handed in of a file that is damaged. */
async function validateFile(file: string, config: Config, options: JournalImportOptions): Promise<ReadHeader> {
  const findSource = sourceFinder(config)
  const unknownSources = new Set<string>()
  let header: ReadHeader | undefined
  for await (const line of readLines(file, options.allowIncomplete)) {
    if (line.kind === 'header') header = line.header
    if (line.kind === 'entry' && findSource(line.entry.source)?.provider.name !== line.entry.provider) {
      unknownSources.add(`${line.entry.source} (${line.entry.provider})`)
    }
    if (line.kind === 'end' && line.end.unreadable > 0) {
      warn(`${line.end.unreadable} entries of the exported journal could not be read and are not in ${file}`)
    }
  }
  if (header === undefined) throw new ConnectorError('USAGE', `${file} has no header line; export the journal again`)
  if (unknownSources.size > 0) {
    const names = [...unknownSources].join(', ')
    warn(`the configuration does not have these sources, so their entries become dead letters: ${names}`)
  }
  return header
}

/** @throws ConnectorError USAGE */
async function* readLines(file: string, allowIncomplete: boolean): AsyncGenerator<ExportLine, void, undefined> {
  try {
    yield* readExportFile(file)
  } catch (error) {
    if (!(error instanceof ExportLineError)) {
      throw new ConnectorError('USAGE', `${file} can't be read: ${messageOf(error)}`, { cause: error })
    }
    if (error.isCut && allowIncomplete) return
    const remedy = error.isCut
      ? 'export the journal again, or import what there is with --allow-incomplete'
      : 'nothing more of it is imported; export the journal again'
    throw new ConnectorError('USAGE', `${file}, ${error.message}; ${remedy}`, { cause: error })
  }
}

/** @throws ConnectorError USAGE if the file is an export of the journal that it would be imported into */
function refuseOwnJournal(config: Config, { journal }: ReadHeader): void {
  const directory = resolve(config.journal.directory)
  if (!existsSync(dataFileOf(directory))) return
  const reader = JournalReader.open(directory)
  const { id } = reader
  reader.close()
  if (id !== journal) return
  throw new ConnectorError(
    'USAGE',
    `the file is an export of journal ${journal}, which ${directory} holds: its entries are in custody there already`,
  )
}

/** @returns how far the events of the journal are in Kafka, as far as that is known */
async function findPublishedPosition(config: Config, header: ReadHeader): Promise<ExportedPosition> {
  const exported = header.position ?? { upTo: -1, place: '' }
  const current = await fetchCurrentPosition(config, header)
  if (header.position === null && current === undefined) {
    warn(
      'it is not known which entries are published already: those that are, are published again with the same event ids, as far ' +
        'as the items have no identity that this connector remembers',
    )
  }
  return current !== undefined && current.upTo >= exported.upTo ? current : exported
}

/** @returns undefined, with a warning, if Kafka does not tell it */
async function fetchCurrentPosition(
  config: Config,
  { journal, instance, positionTopic }: ReadHeader,
): Promise<ExportedPosition | undefined> {
  const own = kafkaSettings(config)
  // The group of a journal is named after the instance that it belonged to, and holds an offset of its dead-letter topic.
  const deadLetter = positionTopic ?? own.topics.deadLetter
  const settings = { ...own, ...(instance !== null && { instance }), topics: { ...own.topics, deadLetter } }
  try {
    const stored = await fetchJournalPosition(settings, journal, systemClock, silentLog(config))
    return stored === null ? undefined : { upTo: stored.position, place: stored.metadata }
  } catch (error) {
    warn(
      `Kafka does not tell how far the journal is published by now: ${messageOf(error)}; the position in the file is used. What ` +
        'the old connector published after the export is published again',
    )
    return undefined
  }
}

type EntryLine = Extract<ExportLine, { kind: 'entry' }>

/**
 * What is made durable by one fsync. A connector that runs stores the batch in one transaction, behind which its callbacks wait, so
 * a batch is stored in a few milliseconds.
 */
const MAX_BATCH_ENTRIES = 500
const MAX_BATCH_BYTES = 4 * 1024 * 1024

async function handInEntries(
  file: string,
  published: ExportedPosition,
  intake: JournalIntake | undefined,
  { allowIncomplete }: JournalImportOptions,
  signal: AbortSignal,
): Promise<Pick<ImportSummary, 'entries' | 'alreadyPublished' | 'handedIn' | 'refused'>> {
  const counts = { entries: 0, alreadyPublished: 0, handedIn: 0, refused: 0 }
  let batch: EntryLine[] = []
  let batchBytes = 0
  const handInBatch = async (): Promise<void> => {
    const results = await intake?.handInAll(batch.map(({ entry }) => entry))
    for (const [index, { seq }] of batch.entries()) {
      counts.entries++
      const problem = results?.[index]?.problem
      if (problem === undefined) {
        counts.handedIn++
        continue
      }
      counts.refused++
      warn(`entry ${seq} is refused: ${problem}`)
    }
    batch = []
    batchBytes = 0
  }
  for await (const line of readLines(file, allowIncomplete)) {
    if (signal.aborted) return counts
    if (line.kind !== 'entry') continue
    if (line.seq <= published.upTo) {
      counts.entries++
      counts.alreadyPublished++
      continue
    }
    const entry = line.seq === published.upTo + 1 ? withPlace(line.entry, published.place) : line.entry
    const { byteLength } = entry.body
    if (batch.length === MAX_BATCH_ENTRIES || batchBytes + byteLength > MAX_BATCH_BYTES) await handInBatch()
    batch.push({ ...line, entry })
    batchBytes += byteLength
  }
  if (!signal.aborted) await handInBatch()
  return counts
}

/** Notes what of an entry is published already. An entry that was imported before keeps the origin that it had. */
function withPlace(entry: EntryWithOrigin, place: string): EntryWithOrigin {
  const { origin } = entry
  return origin.kind !== 'import' || place === '' ? entry : { ...entry, origin: { ...origin, place } }
}

async function report(
  summary: ImportSummary,
  intake: JournalIntake | undefined,
  { json }: JournalImportOptions,
): Promise<void> {
  if (json) {
    await printOutput(`${JSON.stringify(summary)}\n`)
    return
  }
  const { journal, entries, alreadyPublished, handedIn, refused } = summary
  const counts = `${entries} entries of journal ${journal}: ${alreadyPublished} published already`
  if (intake === undefined) {
    warn(`${counts}, ${handedIn} to hand in; nothing was handed in, because of --dry-run`)
    return
  }
  warn(`${counts}, ${handedIn} handed in to ${intake.destination}, ${refused} refused`)
  warn('the connector that had that journal must not run with its volume again: it would publish the same entries')
}
