/**
 * Walks one of the provider's own logs, of messages sent or of messages received, from its first page to its last.
 *
 * Rows that are added while it walks push others to higher offsets, where they are met again; duplicates cost nothing.
 * Rows that move the other way are what pages overlap for, and what the next walk finds: each row is in the days of many
 * walks.
 */
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { WatchList } from '../journal/journal.js'
import type { Day, ReconcileProtocol, UnsettledMessage } from '../providers/provider.js'
import type { ReconcileClient } from './reconcile-client.js'
import type { ReconcileReport } from './reconcile-report.js'

export interface WalkOptions {
  readonly source: string
  readonly account: { readonly url: string; readonly apiKey: string }
  /** Ms. */
  readonly giveUpAfter: number
  /** `every` in ms; `days` back, today included. */
  readonly log: { readonly every: number; readonly days: number }
  /**
   * Ms that a walk reaches back at most for a long absence: less than published items are remembered, or it would find
   * them new.
   */
  readonly reach: number
}

export interface WalkDeps {
  readonly api: ReconcileClient
  readonly reconcile: ReconcileProtocol
  readonly watchList: WatchList
  readonly report: ReconcileReport
  readonly clock: Clock
}

const DAY = 86_400_000
/** Rows that two pages have in common. */
const OVERLAP = 10

export class LogWalk {
  readonly #log: 'outbound' | 'inbound'
  readonly #options: WalkOptions
  readonly #deps: WalkDeps
  readonly #stop: AbortSignal

  constructor(log: 'outbound' | 'inbound', options: WalkOptions, deps: WalkDeps, stop: AbortSignal) {
    this.#log = log
    this.#options = options
    this.#deps = deps
    this.#stop = stop
  }

  /** Until stopped; the first walk at once, because nobody knows how long the connector was away. */
  async run(): Promise<void> {
    const { api, clock } = this.#deps
    const backoff = api.backoff()
    while (!this.#stop.aborted) {
      try {
        await this.#walk()
        backoff.reset()
        await clock.sleep(this.#options.log.every, this.#stop)
      } catch (error) {
        api.unexpected(this.#log, error)
        await clock.sleep(backoff.next(), this.#stop)
      }
    }
  }

  async #walk(): Promise<void> {
    const { api, reconcile, watchList, clock, report } = this.#deps
    const { source, account, log, reach } = this.#options
    const began = clock.now()
    const letGo = api.letGo
    const days = daysFor(began, watchList.lastWalkStartedAt(source, this.#log), log.days, reach)
    let offset = 0
    let before: Uint8Array | undefined
    for (;;) {
      const asked = await api.ask(this.#log, () => reconcile.logRequest(account, this.#log, days, offset))
      if (this.#stop.aborted) return
      if (asked.kind !== 'answer') {
        const again = asked.kind === 'refused' ? api.failed(this.#log, 'refused', asked.detail) : asked
        if (again.kind === 'failed') await clock.sleep(again.wait, this.#stop)
        continue
      }
      const { verdict, body } = asked
      await this.#watch(verdict.unsettled)
      if (verdict.lastPage || verdict.rows === 0) break
      if (before !== undefined && Buffer.compare(before, body) === 0) {
        api.failed(
          this.#log,
          'not-an-answer',
          `the ${this.#log} log has the same page at offset ${offset} as before it`,
        )
        return
      }
      before = body
      offset += Math.max(1, verdict.rows - OVERLAP)
    }
    await api.settle()
    if (api.letGo > letGo) throw new ConnectorError('JOURNAL_WRITE_FAILED', 'some answers with news could not be kept')
    await watchList.recordWalk(source, this.#log, began)
    report.walked(this.#log)
  }

  /** Messages whose receipt is still to come, or never came: watched from when they were sent. */
  async #watch(unsettled: readonly UnsettledMessage[]): Promise<void> {
    const { watchList, clock } = this.#deps
    const { source, giveUpAfter } = this.#options
    const now = clock.now()
    const added = unsettled.flatMap(({ messageId, sentAt }) => {
      const since = Math.min(sentAt ?? now, now)
      // One that was given up is not taken up again.
      if (now - since >= giveUpAfter || watchList.has(source, messageId)) return []
      return [watchList.add(source, [messageId], since)]
    })
    await Promise.all(added)
  }
}

/**
 * Which days to ask for. The provider's are those of a clock that need not be ours, so one more on either side; and all
 * since the last complete walk, if that is longer ago.
 * @param walked when that began; 0 for never
 * @param reach ms from now, at most, for the sake of `walked`
 */
export const daysFor = (
  now: number,
  walked: number,
  days: number,
  reach: number,
): { readonly from: Day; readonly to: Day } => {
  const since = walked === 0 ? now : Math.max(walked - DAY, now - reach)
  return { from: dayOf(Math.min(now - days * DAY, since)), to: dayOf(now + DAY) }
}

const dayOf = (time: number): Day => new Date(time).toISOString().slice(0, 10)
