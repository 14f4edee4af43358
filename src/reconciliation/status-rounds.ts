/**
 * Asks for watched messages, round after round, until the pipeline closes them: it does when a final receipt is
 * released, whichever way that came.
 */
import type { Clock } from '../core/clock.js'
import type { WatchList } from '../journal/journal.js'
import type { ReconcileProtocol } from '../providers/provider.js'
import type { Log } from '../core/log.js'
import type { ReconcileObserver } from '../core/observers.js'
import type { ReconcileClient } from './reconcile-client.js'
import { Batches } from './status-batches.js'
import { look, type Schedule } from './due-messages.js'
import type { ReconcileReport } from './reconcile-report.js'

export interface RoundsOptions extends Schedule {
  readonly source: string
  readonly account: { readonly url: string; readonly apiKey: string }
}

export interface RoundsDeps {
  readonly api: ReconcileClient
  readonly reconcile: ReconcileProtocol
  readonly watchList: WatchList
  readonly report: ReconcileReport
  readonly clock: Clock
  readonly log: Log
  readonly observer: ReconcileObserver
}

/** Rounds in each `every`, at most: so that messages that come due one by one share a request. */
const ROUNDS = 5
/** Ms between rounds, however short `every` is. */
const SHORTEST = 50
/** So many refused alone, one after the other: then it is not them. */
const NOT_THE_MESSAGES = 3

export class StatusRounds {
  readonly #options: RoundsOptions
  readonly #deps: RoundsDeps
  readonly #stop: AbortSignal
  readonly #batches: Batches
  #refusals = 0

  constructor(options: RoundsOptions, deps: RoundsDeps, stop: AbortSignal) {
    this.#options = options
    this.#deps = deps
    this.#stop = stop
    this.#batches = new Batches(deps.reconcile.idsPerQuery)
  }

  /** Until stopped. */
  async run(): Promise<void> {
    const { api, clock } = this.#deps
    const backoff = api.backoff()
    while (!this.#stop.aborted) {
      try {
        const wait = await this.#round()
        backoff.reset()
        await clock.sleep(wait, this.#stop)
      } catch (error) {
        api.unexpected('status', error)
        await clock.sleep(backoff.next(), this.#stop)
      }
    }
  }

  /** @returns ms until the next */
  async #round(): Promise<number> {
    const { clock, watchList, reconcile, report } = this.#deps
    const { source, every } = this.#options
    let watched = 0
    let next = Infinity
    let last: string | undefined
    let failed = false
    do {
      const found = look(watchList.list(source, last), clock.now(), this.#options, reconcile.idsPerQuery)
      await this.#giveUp(found.over)
      for (const batch of this.#batches.of(found.due, clock.monotonic())) {
        const wait = await this.#ask(batch)
        if (this.#stop.aborted) return 0
        if (wait === 0) continue
        // Not the same again: what makes a server fail may be in this batch, and others must not wait for it.
        failed = true
        await clock.sleep(wait, this.#stop)
      }
      watched += found.watched
      next = Math.min(next, found.next)
      last = found.last
      await new Promise(setImmediate)
    } while (last !== undefined && !this.#stop.aborted)
    report.watched(watched)
    if (failed) return 0 // they have waited
    return Math.min(Math.max(next - clock.now(), every / ROUNDS, SHORTEST), Math.max(every, SHORTEST))
  }

  async #giveUp(messageIds: readonly string[]): Promise<void> {
    if (messageIds.length === 0) return
    const { watchList, observer, log } = this.#deps
    const { source, giveUpAfter } = this.#options
    await watchList.remove(source, messageIds)
    observer.messagesGivenUp(source, messageIds.length)
    log.info(
      { source, messages: messageIds.length, giveUpAfterSeconds: giveUpAfter / 1_000 },
      'messages without a final receipt are asked for no more',
    )
  }

  /** @returns ms to wait after a failure, 0 after none */
  async #ask(messageIds: readonly string[]): Promise<number> {
    const { api, clock, reconcile, watchList } = this.#deps
    const { source, account } = this.#options
    let open: readonly string[] = []
    const asked = await api.ask('status', () => {
      open = messageIds.filter((id) => watchList.has(source, id))
      return open.length === 0 ? undefined : reconcile.statusRequest(account, open)
    })
    switch (asked.kind) {
      case 'nothing':
        return 0
      case 'failed':
        return asked.wait
      case 'answer':
        this.#refusals = 0
        this.#batches.answered(open)
        await watchList.markAsked(source, open, clock.now())
        return 0
      case 'refused':
        return open.length > 1 ? this.#oneByOne(open) : this.#refusedAlone(open, asked.detail)
    }
  }

  async #oneByOne(messageIds: readonly string[]): Promise<number> {
    for (const id of messageIds) {
      const wait = await this.#ask([id])
      if (wait > 0 || this.#stop.aborted) return wait
    }
    const all = !messageIds.some((id) => this.#batches.isAlone(id))
    if (all) this.#batches.takesOne(this.#deps.clock.monotonic())
    return 0
  }

  async #refusedAlone(messageIds: readonly string[], detail: string): Promise<number> {
    const { api, watchList, clock, log } = this.#deps
    const { source } = this.#options
    for (const id of messageIds) this.#batches.refusedAlone(id)
    if (++this.#refusals >= NOT_THE_MESSAGES) return api.failed('status', 'refused', detail).wait
    log.info({ source, detail }, 'the provider refuses to be asked for one message; it is asked for alone from now on')
    await watchList.markAsked(source, messageIds, clock.now())
    return 0
  }
}
