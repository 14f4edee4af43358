/**
 * Scans one of the provider's message logs, from the first page to the last.
 *
 * Rows that are added during a scan push others to higher offsets, where they are read again; the pipeline suppresses
 * these duplicates. Rows that move to lower offsets are covered by the overlap of pages and by the next scans, since the
 * days of many scans contain each row.
 */
import { DAY_MS } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { OutgoingRequest } from '../http-client/connection.js'
import type { Day, UnsettledMessage } from '../providers/provider.js'
import type { Answer, ReconcilerOptions, ReconcileTaskDeps } from './reconcile-client.js'
import type { MessageLogDirection } from './reconcile-reporter.js'

interface Days {
  readonly from: Day
  readonly to: Day
}

/** Rows that two consecutive pages have in common. */
const PAGE_OVERLAP_ROWS = 10

export class MessageLogScanner {
  readonly #direction: MessageLogDirection
  readonly #options: ReconcilerOptions
  readonly #deps: ReconcileTaskDeps

  constructor(direction: MessageLogDirection, options: ReconcilerOptions, deps: ReconcileTaskDeps) {
    this.#direction = direction
    this.#options = options
    this.#deps = deps
  }

  /**
   * Scans the log once.
   * @returns milliseconds until the next scan
   * @throws ConnectorError JOURNAL_WRITE_FAILED: answers were dropped, so the scan is incomplete
   */
  async run(): Promise<number> {
    const { client, journal, clock, reporter } = this.#deps
    const { watchList } = journal
    const { source, log, maxLookBackMs } = this.#options
    const startedAt = clock.now()
    const droppedBefore = client.droppedAnswers
    const days = daysToScan(startedAt, watchList.lastScanStartedAt(source, this.#direction), log.days, maxLookBackMs)
    let offset = 0
    let previousBody: Uint8Array | undefined
    for (;;) {
      const page = await this.#readPage(days, offset)
      if (page === undefined) return 0
      if (page.inspection.isLastPage || page.inspection.rows === 0) break
      if (previousBody !== undefined && Buffer.compare(previousBody, page.body) === 0) {
        const detail = `the ${this.#direction} log has the same page at offset ${offset} as at the offset before`
        client.recordFailure(this.#direction, 'not-an-answer', detail)
        return log.every
      }
      previousBody = page.body
      offset += Math.max(1, page.inspection.rows - PAGE_OVERLAP_ROWS)
    }
    await client.waitForDeferredAnswers()
    if (client.droppedAnswers > droppedBefore) {
      throw new ConnectorError('JOURNAL_WRITE_FAILED', 'some answers with new items could not be stored in the journal')
    }
    await watchList.recordScan(source, this.#direction, startedAt)
    reporter.reportScan(this.#direction)
    return log.every
  }

  /**
   * Requests a page until it is answered, and watches the messages in it that have no final receipt.
   * @returns undefined if the reconciler is stopping
   */
  async #readPage(days: Days, offset: number): Promise<Answer | undefined> {
    const { client, provider, clock, stopSignal } = this.#deps
    const buildRequest = (): OutgoingRequest =>
      provider.reconcile.logRequest(this.#options, this.#direction, days, offset)
    for (;;) {
      const result = await client.query(this.#direction, buildRequest)
      if (stopSignal.aborted) return undefined
      if (result.kind === 'answer') {
        // This comes first, because the age of a message that the pipeline adds counts from its last receipt.
        await this.#watch(result.inspection.unsettled)
        return result
      }
      const failure =
        result.kind === 'refused' ? client.recordFailure(this.#direction, 'refused', result.detail) : result
      if (failure.kind === 'failed') await clock.sleep(failure.waitMs, stopSignal)
    }
  }

  /** Puts messages without a final receipt on the watch list, each with the time at which it was sent. */
  async #watch(messages: readonly UnsettledMessage[]): Promise<void> {
    const { journal, clock } = this.#deps
    const { watchList } = journal
    const { source, giveUpAfter } = this.#options
    const now = clock.now()
    const added = messages.flatMap(({ messageId, sentAt }) => {
      const since = Math.min(sentAt ?? now, now)
      // A message that was given up must not be watched again.
      if (now - since >= giveUpAfter || watchList.has(source, messageId)) return []
      return [watchList.add(source, [messageId], since)]
    })
    await Promise.all(added)
  }
}

/**
 * Returns the days to request: the configured ones, or those since the last complete scan if these are more. The
 * provider's clock may be in another time zone, so one more day is added on either side.
 * @param lastScanStartedAt milliseconds since the epoch; 0 if there was no complete scan
 * @param maxLookBackMs limits how far back `lastScanStartedAt` makes the scan reach
 */
export const daysToScan = (now: number, lastScanStartedAt: number, days: number, maxLookBackMs: number): Days => {
  const since = lastScanStartedAt === 0 ? now : Math.max(lastScanStartedAt - DAY_MS, now - maxLookBackMs)
  return { from: dayOf(Math.min(now - days * DAY_MS, since)), to: dayOf(now + DAY_MS) }
}

const dayOf = (time: number): Day => new Date(time).toISOString().slice(0, 10)
