/**
 * Hands entries in that were in custody before: to the connector that holds the journal, by its admin API, or into the journal
 * itself if no process holds it. Either way an entry is durable when `handIn` resolves.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { JOURNAL_HEADER } from '../admin/entries-request.js'
import { openJournal } from '../app/open-journal.js'
import type { Config } from '../config/types.js'
import { systemClock } from '../core/clock.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import { formatEntry } from '../journal/entry-json.js'
import { dataFileOf } from '../journal/environment.js'
import type { EntryWithOrigin } from '../journal/journal.js'
import { JournalReader } from '../journal/journal-reader.js'
import type { LmdbJournal } from '../journal/lmdb-journal.js'
import { silentLog } from './open-topics.js'

export interface JournalIntake {
  /** Where the entries go, as a phrase for people. */
  readonly destination: string
  /**
   * Resolves once the entry is durable, or with a sentence on why this entry can't be taken.
   * @throws ConnectorError JOURNAL_HELD if the connector that holds the journal does not answer any more; JOURNAL_FULL,
   *   JOURNAL_WRITE_FAILED, JOURNAL_UNUSABLE
   */
  handIn(entry: EntryWithOrigin): Promise<HandInResult>
  /**
   * Hands entries in, in their order, as one batch that is durable with one fsync. Where the batch can't be taken, they are handed
   * in one by one.
   * @returns one result for each entry
   * @throws ConnectorError as `handIn`; the entries before the one that failed are durable, and none behind it is
   */
  handInAll(entries: readonly EntryWithOrigin[]): Promise<readonly HandInResult[]>
  close(): Promise<void>
}

export interface HandInResult {
  /** Why the entry can't be taken; absent if it is durable. */
  readonly problem?: string
}

/** Hands in what can't be taken as a batch. */
async function handInOneByOne(
  intake: Pick<JournalIntake, 'handIn'>,
  entries: readonly EntryWithOrigin[],
): Promise<readonly HandInResult[]> {
  const results: HandInResult[] = []
  for (const entry of entries) results.push(await intake.handIn(entry))
  return results
}

export interface JournalIntakeOptions {
  /** Whether a journal is created where there is none. Only a connector that runs there publishes what it holds. */
  readonly canCreate: boolean
}

/**
 * @throws ConnectorError NO_JOURNAL, JOURNAL_UNUSABLE; JOURNAL_HELD if a process holds the journal whose admin API does not
 *   answer; CONFIG_INVALID if it refuses the request
 */
export async function openJournalIntake(config: Config, { canCreate }: JournalIntakeOptions): Promise<JournalIntake> {
  const directory = resolve(config.journal.directory)
  if (!canCreate && !existsSync(dataFileOf(directory))) {
    throw new ConnectorError(
      'NO_JOURNAL',
      `${directory} holds no journal; run this command where the connector runs, in its working directory and with its ` +
        'configuration',
    )
  }
  let held: unknown
  try {
    return new DirectIntake(await openJournal(config, { clock: systemClock, log: silentLog(config) }), directory)
  } catch (error) {
    if (!hasCode(error, 'JOURNAL_HELD')) throw error
    held = error
  }
  return AdminIntake.open(config, directory, messageOf(held))
}

class DirectIntake implements JournalIntake {
  readonly destination: string
  readonly #journal: LmdbJournal

  constructor(journal: LmdbJournal, directory: string) {
    this.#journal = journal
    this.destination = `the journal in ${directory}, which no process holds; the next run publishes it`
  }

  async handIn(entry: EntryWithOrigin): Promise<HandInResult> {
    await this.#journal.append(entry)
    return {}
  }

  async handInAll(entries: readonly EntryWithOrigin[]): Promise<readonly HandInResult[]> {
    try {
      await this.#journal.appendAll(entries)
    } catch (error) {
      // There may be room for a part of the batch.
      if (!hasCode(error, 'JOURNAL_FULL')) throw error
      return handInOneByOne(this, entries)
    }
    return entries.map(() => ({}))
  }

  close(): Promise<void> {
    return this.#journal.close()
  }
}

/** The longest time that the admin server has for an answer. Entries may have 90 MiB. */
const ANSWER_TIMEOUT_MS = 60_000

/** How often, and how far apart, an entry is handed in while the connector has no room for its body. */
const MAX_ATTEMPTS = 60
const RETRY_DELAY_MS = 1_000

class AdminIntake implements JournalIntake {
  readonly destination: string
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>

  /** Makes sure that the connector that answers at the admin port is the one that holds this journal. */
  static async open({ admin }: Config, directory: string, held: string): Promise<AdminIntake> {
    if (admin.port === 0) {
      throw new ConnectorError('JOURNAL_HELD', `${held}. With admin.port: 0 its admin API can't be found`)
    }
    const url = `http://${addressOf(admin.host)}:${admin.port}`
    const id = readJournalId(directory)
    const intake = new AdminIntake(url, admin.token?.[0], id)
    const answer = await intake.#request('/status.json', {}, held)
    if (answer.code !== 200) throw refusedRequest(url, answer)
    const journalId = journalIdIn(answer.text)
    if (journalId === id) return intake
    throw new ConnectorError(
      'JOURNAL_HELD',
      `${held}. What answers at ${url} is not that process: it holds journal ${journalId ?? '(unknown)'}, and the directory has ` +
        `journal ${id}; correct admin.host and admin.port`,
    )
  }

  private constructor(url: string, token: string | undefined, journalId: string) {
    this.#url = url
    this.#headers = { [JOURNAL_HEADER]: journalId, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    this.destination = `the running connector at ${url}, which publishes it`
  }

  async handIn(entry: EntryWithOrigin): Promise<HandInResult> {
    const answer = await this.#post(formatEntry(entry))
    if (answer.code === 202) return {}
    const problem = errorIn(answer.text)
    if (answer.code === 400 || answer.code === 413) return { problem }
    if (answer.code === 409) throw new ConnectorError('JOURNAL_HELD', `${problem}; correct admin.host and admin.port`)
    if (answer.code === 503) throw new ConnectorError('JOURNAL_WRITE_FAILED', `the connector can't take it: ${problem}`)
    throw refusedRequest(this.#url, answer)
  }

  async handInAll(entries: readonly EntryWithOrigin[]): Promise<readonly HandInResult[]> {
    if (entries.length <= 1) return handInOneByOne(this, entries)
    const answer = await this.#post(`[${entries.map(formatEntry).join(',')}]`)
    if (answer.code === 202) return entries.map(() => ({}))
    // One of them is refused, or there is room for a part of them, or the connector is of a release that takes one at a time.
    return handInOneByOne(this, entries)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #post(body: string): Promise<Answer> {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const inDoubt = 'the connector did not confirm what was handed in last; hand it in again, it is published once'
    return this.#requestUntilRoom('/journal/entries', init, inDoubt)
  }

  /** Asks again while the connector reads large entries of others. */
  async #requestUntilRoom(path: string, init: RequestOptions, consequence: string): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#request(path, init, consequence)
      if (answer.code !== 429 || attempt === MAX_ATTEMPTS) return answer
      await systemClock.sleep(RETRY_DELAY_MS)
    }
  }

  async #request(path: string, init: RequestOptions, consequence: string): Promise<Answer> {
    try {
      const headers = { ...this.#headers, ...init.headers }
      const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
      const response = await fetch(this.#url + path, { ...init, headers, signal, redirect: 'error' })
      return { code: response.status, text: await response.text() }
    } catch (error) {
      const { cause } = error as Error
      const reason = cause instanceof Error ? messageOf(cause) : messageOf(error)
      const message = `${consequence}. Its admin API at ${this.#url} does not answer: ${reason}`
      throw new ConnectorError('JOURNAL_HELD', message, { cause: error })
    }
  }
}

interface RequestOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Answer {
  readonly code: number
  readonly text: string
}

const refusedRequest = (url: string, { code, text }: Answer): ConnectorError =>
  new ConnectorError('CONFIG_INVALID', `the admin API at ${url} refuses the request with ${code}: ${errorIn(text)}`)

/** A server that listens on all addresses is reached at the loopback address. */
function addressOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

function readJournalId(directory: string): string {
  const reader = JournalReader.open(directory)
  try {
    return reader.id
  } finally {
    reader.close()
  }
}

const journalIdIn = (text: string): string | undefined => {
  const { journal } = (parseJson(text) ?? {}) as { journal?: { id?: string } }
  return journal?.id
}

const errorIn = (text: string): string => {
  const { error } = (parseJson(text) ?? {}) as { error?: string }
  return error ?? text.trim()
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
