/**
 * Reads the marks of replayed dead letters (encode/replay-marks.ts) from their topic, as a `read_committed` consumer without a
 * group.
 *
 * A mark that is missed would let an item be published twice, so every reading goes to the end of the topic as it was when the
 * reading began, and waits for the transactions that are open before that end. Marks that were read once are kept, and the next
 * reading takes only what was added.
 */
import type { Clock } from '../core/clock.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { CommittedRecordReader, type PartitionOffset } from './committed-record-reader.js'
import { findMissingRights, rightsOnMarks } from './rights.js'
import type { KafkaSettings } from './settings.js'

export interface ReplayMarkReaderDeps {
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly log: Log
}

export type MarkReading = { readonly keys: ReadonlySet<string> } | { readonly unavailable: string }

/** The connections are closed after this time without use. */
const CLOSE_IDLE_AFTER_MS = 30_000
/** How often the end of the open transactions is asked for. */
const OPEN_TRANSACTION_INTERVAL_MS = 50
/**
 * A topic that is missing, or a right, may be there a moment later: brokers learn of a new topic one after the other. Only
 * after this time are replays given up.
 */
const UNAVAILABLE_AFTER_MS = 5_000
/** With more keys than this, the marks are forgotten after a reading and read anew by the next one. */
const MAX_KEPT_KEYS = 500_000

export class ReplayMarkReader {
  readonly topic: string
  readonly #deps: ReplayMarkReaderDeps
  #settings: KafkaSettings
  #reader: CommittedRecordReader | undefined
  #keys = new Set<string>()
  /** How far each partition has been read. */
  #positions: readonly PartitionOffset[] = []
  #unavailableSince: number | undefined
  #idleTimer = new AbortController()

  constructor(deps: ReplayMarkReaderDeps) {
    this.#deps = deps
    this.#settings = deps.settings
    this.topic = deps.settings.topics.deadLetterReplays
  }

  /**
   * Resolves with the keys of all marks that were committed before the call. If the topic or a right on it is missing, it
   * resolves with a sentence about that.
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING, PUBLISH_IN_DOUBT: the reason may pass
   */
  async read(signal: AbortSignal): Promise<MarkReading> {
    const { clock } = this.#deps
    this.#idleTimer.abort()
    try {
      const keys = await this.#readToEnd(signal)
      this.#unavailableSince = undefined
      this.#scheduleClose()
      return { keys }
    } catch (error) {
      this.close()
      if (!hasCode(error, 'TOPIC_MISSING') && !hasCode(error, 'KAFKA_REFUSED')) throw error
      this.#unavailableSince ??= clock.monotonic()
      if (clock.monotonic() - this.#unavailableSince < UNAVAILABLE_AFTER_MS) throw error
      return { unavailable: `the marks of replays can't be read or written: ${messageOf(error)}` }
    }
  }

  /** Takes other settings for the next reading. The topic must stay. Call it while nothing is read. */
  reconfigure(settings: KafkaSettings): void {
    this.close()
    this.#settings = settings
  }

  /** Cuts the connections. What was read is kept. */
  close(): void {
    this.#idleTimer.abort()
    this.#reader?.close()
    this.#reader = undefined
  }

  async #readToEnd(signal: AbortSignal): Promise<ReadonlySet<string>> {
    this.#reader ??= await this.#open()
    const reader = this.#reader
    const ends = await reader.endOffsets()
    await this.#waitForOpenTransactions(reader, ends, signal)
    if (signal.aborted) return this.#keys
    if (this.#wasCreatedAgain(ends)) this.#forget()
    const earliest = await reader.offsets('earliest')
    const ranges = ends.map(({ offset: to, ...partition }) => ({
      ...partition,
      from: Math.max(offsetOf(this.#positions, partition), offsetOf(earliest, partition)),
      to,
    }))
    for await (const { key } of reader.read(ranges)) if (key !== null) this.#keys.add(key.toString())
    this.#positions = ends
    const keys = this.#keys
    if (keys.size > MAX_KEPT_KEYS) this.#forget()
    return keys
  }

  async #open(): Promise<CommittedRecordReader> {
    const { clock, log } = this.#deps
    const settings = this.#settings
    const { topic } = this
    const reader = await CommittedRecordReader.open({ settings, topics: [topic], clock, log, onRetry: () => undefined })
    // Without the right to write, the transaction of a replay would be refused again and again, and nothing else published.
    try {
      const { missing } = await findMissingRights(settings, rightsOnMarks(topic), clock, log)
      if (missing.length > 0)
        throw new ConnectorError('KAFKA_REFUSED', `this user lacks ${missing.join(', ')}; grant it`)
      return reader
    } catch (error) {
      reader.close()
      throw error
    }
  }

  /** Waits until nothing before the ends belongs to a transaction whose outcome is open. */
  async #waitForOpenTransactions(
    reader: CommittedRecordReader,
    ends: readonly PartitionOffset[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#deps
    const settings = this.#settings
    const giveUpAt = clock.monotonic() + settings.transactionTimeout
    while (!signal.aborted) {
      const stable = await reader.offsets('latest')
      if (ends.every(({ offset, ...partition }) => offsetOf(stable, partition) >= offset)) return
      if (clock.monotonic() > giveUpAt) {
        const open = `a transaction on topic ${this.topic} has been open for more than ${settings.transactionTimeout} ms`
        throw new ConnectorError(
          'PUBLISH_IN_DOUBT',
          `${open}; a replay waits until it ends, or is aborted by the brokers`,
        )
      }
      await clock.sleep(OPEN_TRANSACTION_INTERVAL_MS, signal)
    }
  }

  #wasCreatedAgain(ends: readonly PartitionOffset[]): boolean {
    return ends.some(({ offset, ...partition }) => offset < offsetOf(this.#positions, partition))
  }

  #forget(): void {
    this.#keys = new Set()
    this.#positions = []
  }

  #scheduleClose(): void {
    this.#idleTimer = new AbortController()
    const { signal } = this.#idleTimer
    void this.#deps.clock.sleep(CLOSE_IDLE_AFTER_MS, signal).then(() => {
      if (!signal.aborted) this.close()
    })
  }
}

/** @returns 0 for a partition that is not in the list */
const offsetOf = (
  offsets: readonly PartitionOffset[],
  { topic, partition }: Pick<PartitionOffset, 'topic' | 'partition'>,
): number => offsets.find((each) => each.topic === topic && each.partition === partition)?.offset ?? 0
