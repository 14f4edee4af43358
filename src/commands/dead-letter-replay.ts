/**
 * `dead-letters replay` decodes dead letters again and hands in what can be read now: to the connector that holds the journal, or
 * into the journal. What is handed in is published once, however often; what still can't be read stays where it is.
 */
import { sourceFinder } from '../app/source-finder.js'
import { readConfiguration } from './configuration.js'
import type { Config } from '../config/types.js'
import { systemClock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { RequestFacts } from '../core/received.js'
import { isShortened } from '../encode/dead-letters.js'
import type { EntryWithOrigin } from '../journal/journal.js'
import { decodeDeadLetter } from '../pipeline/replay.js'
import { escapeControls } from '../masking/control-characters.js'
import { personalDataMask } from '../masking/personal-data.js'
import { describeMissingParts } from './dead-letter-format.js'
import { parseReplayFilter, type ReplayDeadLettersOptions } from './dead-letter-query.js'
import {
  type DeadLetterReader,
  NOT_REPLAYED,
  type ReplayState,
  type ReplayStates,
  type StoredDeadLetter,
} from './dead-letter-reader.js'
import { openDeadLetters } from './dead-letters.js'
import { type JournalIntake, openJournalIntake } from './journal-intake.js'
import { LineOutput, warn } from './output.js'
import { quoteIfNeeded } from './record-format.js'

/**
 * - `handed-in`: durable in a journal. `would-hand-in` with --dry-run.
 * - `already-replayed`: a mark says that every item is published.
 * - `unreadable`: today's decoder can't read it, or no more of it than is published already.
 * - `refused`: it is not complete, or the journal does not take it.
 */
type ReplayOutcome = 'handed-in' | 'would-hand-in' | 'already-replayed' | 'unreadable' | 'refused'

interface ReplayReport {
  readonly outcome: ReplayOutcome
  /** The number of items that are published when the entry is. */
  readonly items?: { readonly dlr: number; readonly mo: number }
  /** Why it was not handed in, or which part of it stays where it is. */
  readonly problem?: string
}

/**
 * @returns 0 if everything that was asked for is handed in or replayed already, 2 if something stays where it is
 * @throws ConnectorError USAGE, CONFIG_INVALID, NO_JOURNAL, JOURNAL_HELD, JOURNAL_WRITE_FAILED; those of Kafka and of the registry
 */
export async function replayDeadLetters(options: ReplayDeadLettersOptions): Promise<number> {
  const filter = parseReplayFilter(options, systemClock.now())
  const config = readConfiguration(options.config)
  const output = new LineOutput(process.stdout)
  const reader = await openDeadLetters(config)
  let intake: JournalIntake | undefined
  try {
    const states = await readStates(config, reader)
    // Opened first, so that nothing is read in vain. A dry run leaves the journal alone.
    if (!options.dryRun) intake = await openJournalIntake(config, { canCreate: false })
    const replayer = new DeadLetterReplayer(config, reader, states, intake)
    const counts = new Map<ReplayOutcome, number>()
    let isComplete = true
    for await (const letter of reader.find(filter)) {
      const isReplayed = states.get(letter.eventId)?.closedAt !== undefined
      // Those that were replayed are mentioned only if they were asked for one by one.
      if (isReplayed && options.eventId === undefined) continue
      const report = await replayer.replay(letter)
      counts.set(report.outcome, (counts.get(report.outcome) ?? 0) + 1)
      isComplete &&= report.problem === undefined
      await output.write(options.json ? toJsonLine(letter, report) : toTextLine(letter, report))
    }
    await output.flush()
    if (options.eventId !== undefined && counts.size === 0) throw notFound(reader, options.eventId)
    if (!options.json) warn(summarise(counts, reader, intake))
    return isComplete ? 0 : 2
  } finally {
    await intake?.close()
    await reader.close()
  }
}

/** @throws ConnectorError TOPIC_MISSING if no connector creates the topic of the marks */
async function readStates({ kafka }: Config, reader: DeadLetterReader): Promise<ReplayStates> {
  const states = await reader.readReplayStates()
  if (states !== undefined) return states
  if (kafka.createTopics !== undefined) return new Map()
  throw new ConnectorError(
    'TOPIC_MISSING',
    `topic ${reader.replaysTopic} does not exist, without which nothing can be replayed once; create it with ` +
      'cleanup.policy=compact, and grant the connector Read and Write on it',
  )
}

const notFound = (reader: DeadLetterReader, eventId: string): ConnectorError =>
  new ConnectorError('USAGE', `${reader.topic} has no dead letter with event id ${eventId} that matches`)

export class DeadLetterReplayer {
  readonly #reader: Pick<DeadLetterReader, 'readBody'>
  readonly #states: ReplayStates
  readonly #intake: Pick<JournalIntake, 'handIn'> | undefined
  readonly #findSource: ReturnType<typeof sourceFinder>

  /** @param intake undefined for a dry run */
  constructor(
    config: Config,
    reader: Pick<DeadLetterReader, 'readBody'>,
    states: ReplayStates,
    intake: Pick<JournalIntake, 'handIn'> | undefined,
  ) {
    this.#reader = reader
    this.#states = states
    this.#intake = intake
    this.#findSource = sourceFinder(config)
  }

  async replay(letter: StoredDeadLetter): Promise<ReplayReport> {
    const state = this.#states.get(letter.eventId) ?? NOT_REPLAYED
    if (state.closedAt !== undefined) return { outcome: 'already-replayed' }
    const problem = problemOf(letter)
    if (problem !== undefined) return { outcome: 'refused', problem }
    const body = await this.#reader.readBody(letter)
    if (body === undefined) return { outcome: 'refused', problem: PARTS_DELETED_MEANWHILE }
    const entry = toEntry(letter, body)
    const { items, unreadable, isAnythingNew } = this.#decode(entry, state)
    if (!isAnythingNew) return { outcome: 'unreadable', ...(unreadable !== undefined && { problem: unreadable }) }
    const rest = unreadable !== undefined && { problem: `a part of it stays where it is: ${unreadable}` }
    if (this.#intake === undefined) return { outcome: 'would-hand-in', items, ...rest }
    const { problem: refusal } = await this.#intake.handIn(entry)
    return refusal === undefined ? { outcome: 'handed-in', items, ...rest } : { outcome: 'refused', problem: refusal }
  }

  #decode(entry: DeadLetterEntry, { publishedPlaces }: ReplayState) {
    const items = { dlr: 0, mo: 0 }
    let unreadable: string | undefined
    for (const { event, place } of decodeDeadLetter(entry, entry.origin, this.#findSource(entry.source))) {
      if (event.kind === 'dead-letter') unreadable ??= `${event.reason}: ${event.detail}`
      else if (!publishedPlaces.has(place)) items[event.kind]++
    }
    // Without an unreadable item the entry closes the dead letter, also if nothing of it is new.
    return { items, unreadable, isAnythingNew: unreadable === undefined || items.dlr + items.mo > 0 }
  }
}

const PARTS_DELETED_MEANWHILE = 'parts of it are not on the topic any more, because its retention has just deleted them'

/** Why a dead letter can't be replayed, whatever today's decoder makes of it. */
function problemOf(letter: StoredDeadLetter): string | undefined {
  if (letter.missingParts.length > 0) return `${describeMissingParts(letter)}, because its retention has deleted them`
  const shortened = Object.entries(letter.request).find(([, value]) => isShortened(value))
  if (shortened === undefined) return undefined
  return `request.${shortened[0]} was shortened to fit into a record (kafka.maxBatchBytes), so it may be read wrongly`
}

type DeadLetterEntry = EntryWithOrigin & { readonly origin: { readonly kind: 'dead-letter' } }

function toEntry(
  { source, provider, via, receivedAt, request, eventId, reason }: StoredDeadLetter,
  body: Uint8Array,
): DeadLetterEntry {
  const { method = '', path = '', query = '', ...more } = request
  const facts: RequestFacts = { method, path, query, ...more }
  return { source, provider, via, receivedAt, facts, body, origin: { kind: 'dead-letter', eventId, reason } }
}

const toJsonLine = ({ eventId, source, reason, receivedAt }: StoredDeadLetter, report: ReplayReport): string =>
  JSON.stringify({ eventId, source, reason, receivedAt, ...maskProblem(report) })

const OUTCOME_WIDTH = 'already-replayed'.length

function toTextLine({ eventId, source, reason }: StoredDeadLetter, report: ReplayReport): string {
  const { outcome, items, problem } = maskProblem(report)
  const columns = [outcome.padEnd(OUTCOME_WIDTH), source, quoteIfNeeded(reason), quoteIfNeeded(eventId)]
  if (items !== undefined) columns.push(`${items.dlr} dlr, ${items.mo} mo`)
  if (problem !== undefined) columns.push(escapeControls(problem))
  return columns.join('  ')
}

/** A detail may contain phone numbers. */
const maskProblem = (report: ReplayReport): ReplayReport =>
  report.problem === undefined ? report : { ...report, problem: personalDataMask('masked').sentence(report.problem) }

function summarise(
  counts: ReadonlyMap<ReplayOutcome, number>,
  { topic }: DeadLetterReader,
  intake: JournalIntake | undefined,
): string {
  if (counts.size === 0) return `no open dead letter to replay on ${topic}`
  const parts = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  if (intake === undefined) return `${parts}; nothing was handed in, because of --dry-run`
  if (!counts.has('handed-in')) return parts
  const next =
    'The command does not wait for that: dead-letters list shows a dead letter as open until all of it is published, and the ' +
    'status page of the connector counts what was replayed. To replay it again meanwhile publishes nothing twice'
  return `${parts}; handed in to ${intake.destination}. ${next}`
}
