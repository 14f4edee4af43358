/** A poller of the Mtarget simulator, with a journal in memory and a clock that a test moves. */
import { MtargetSimulator, type MtargetOptions } from '../../dev/simulators/mtarget.js'
import { Poller, type PollerOptions } from '../../src/polling/poller.js'
import { mtarget } from '../../src/providers/mtarget/index.js'
import type { PullProtocol } from '../../src/providers/provider.js'
import { RecordingLog, RecordingPullObserver } from './recording-observers.js'
import { ManualClock } from './manual-clock.js'
import { MemoryJournal } from './memory-journal.js'

export const IDLE = 180_000

/**
 * As `Poller` wants it: a provider that has a queue.
 * @param changes of the real protocol
 */
export const withPull = (changes: Partial<PullProtocol> = {}) => {
  if (mtarget.pull === undefined) throw new Error('this provider has no queue')
  return { ...mtarget, pull: { ...mtarget.pull, ...changes } }
}

export class TestedPoller {
  readonly clock = new ManualClock()
  readonly journal = new MemoryJournal(this.clock)
  readonly log = new RecordingLog()
  readonly observer = new RecordingPullObserver()
  readonly poller: Poller

  /** @param url of the queue */
  constructor(url: string, options: Partial<PollerOptions> = {}, provider = withPull()) {
    this.poller = new Poller(
      {
        source: 'mtarget-fr',
        account: { url, username: 'demo', password: 'secret', limitParameter: 'max' },
        limit: { min: 10, start: 50, max: 1000 },
        idleDelay: IDLE,
        timeout: 5_000,
        maxAnswer: 64 * 1024 * 1024,
        ...options,
      },
      {
        provider,
        journal: this.journal,
        clock: this.clock,
        log: this.log,
        observer: this.observer,
        random: () => 0.5,
      },
    )
  }

  /** Bodies in the journal, as text. */
  get bodies(): string[] {
    return this.journal.entries.map((entry) => Buffer.from(entry.body).toString())
  }

  /** Resolves with its length when the poller pauses. */
  paused(): Promise<number> {
    return this.clock.untilSleeping()
  }

  /** Resolves when a page has been handed out and the journal has begun to refuse it. */
  async refusing(): Promise<void> {
    const letGo = this.journal.hold()
    while (this.journal.attempts === 0) await new Promise((resolve) => setImmediate(resolve))
    this.journal.refuses = 'JOURNAL_WRITE_FAILED'
    letGo()
    await this.paused()
  }

  /** Lets the present pause pass, and resolves with the length of the next. */
  async nextPause(): Promise<number> {
    const before = this.observer.outcomes.length
    await this.clock.advance(await this.paused())
    await this.observer.until(() => this.observer.outcomes.length > before)
    return this.paused()
  }
}

/** Both, started, and put away by `stopAll`. */
export class PollerBench {
  readonly #pollers: TestedPoller[] = []
  readonly #simulators: MtargetSimulator[] = []

  async simulator(options?: MtargetOptions): Promise<MtargetSimulator> {
    const simulator = await MtargetSimulator.start(options)
    this.#simulators.push(simulator)
    return simulator
  }

  /** Not started. */
  poller(url: string, options?: Partial<PollerOptions>, provider?: ReturnType<typeof withPull>): TestedPoller {
    const tested = new TestedPoller(url, options, provider)
    this.#pollers.push(tested)
    return tested
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#pollers.splice(0).map(({ poller }) => poller.stop(AbortSignal.abort())))
    await Promise.all(this.#simulators.splice(0).map((simulator) => simulator.stop()))
  }
}
