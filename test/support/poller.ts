/** A poller that empties the Mtarget simulator into a journal in memory, with a clock that the test moves. */
import { MtargetSimulator, type MtargetOptions } from '../../dev/simulators/mtarget.js'
import { Poller, type PollerOptions } from '../../src/polling/poller.js'
import { mtarget } from '../../src/providers/mtarget/index.js'
import type { PullProtocol } from '../../src/providers/provider.js'
import { turnUntil } from './event-loop.js'
import { ManualClock } from './manual-clock.js'
import { MemoryJournal } from './memory-journal.js'
import { RecordingLog, RecordingPullObserver } from './recording-observers.js'

export const IDLE_DELAY_MS = 180_000

/**
 * Returns the Mtarget provider as `Poller` takes it.
 * @param changes replace methods of its pull protocol
 */
export const mtargetWith = (changes: Partial<PullProtocol> = {}) => {
  if (mtarget.pull === undefined) throw new Error('provider mtarget has no pull protocol')
  return { ...mtarget, pull: { ...mtarget.pull, ...changes } }
}

export class TestedPoller {
  readonly clock = new ManualClock()
  readonly journal = new MemoryJournal(this.clock)
  readonly log = new RecordingLog()
  readonly observer = new RecordingPullObserver()
  readonly poller: Poller

  /** @param url the address of the queue */
  constructor(url: string, options: Partial<PollerOptions> = {}, provider = mtargetWith()) {
    this.poller = new Poller(
      {
        source: 'mtarget-fr',
        url,
        username: 'demo',
        password: 'secret',
        limitParameter: 'max',
        limit: { min: 10, start: 50, max: 1000, itemsPerSecond: 1000 },
        idleDelay: IDLE_DELAY_MS,
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

  /** The bodies in the journal, as text. */
  get bodies(): string[] {
    return this.journal.entries.map((entry) => Buffer.from(entry.body).toString())
  }

  /** Resolves with the length of the pause, in milliseconds, once the poller pauses. */
  untilPaused(): Promise<number> {
    return this.clock.untilSleeping()
  }

  /** Resolves once a page has been handed out and the journal refuses it. */
  async untilJournalRefuses(): Promise<void> {
    const release = this.journal.hold()
    await turnUntil(() => this.journal.attempts > 0)
    this.journal.refuses = 'JOURNAL_WRITE_FAILED'
    release()
    await this.untilPaused()
  }

  /** Lets the present pause pass, and resolves with the length of the next one in milliseconds. */
  async untilNextPause(): Promise<number> {
    const before = this.observer.outcomes.length
    await this.clock.advance(await this.untilPaused())
    await this.observer.until(() => this.observer.outcomes.length > before)
    return this.untilPaused()
  }
}

/** Creates pollers and simulators, and stops all of them at the end of a test. */
export class PollerFixture {
  readonly #pollers: TestedPoller[] = []
  readonly #simulators: MtargetSimulator[] = []

  async startSimulator(options?: MtargetOptions): Promise<MtargetSimulator> {
    const simulator = await MtargetSimulator.start(options)
    this.#simulators.push(simulator)
    return simulator
  }

  /** The poller is not started yet. */
  createPoller(url: string, options?: Partial<PollerOptions>, provider?: ReturnType<typeof mtargetWith>): TestedPoller {
    const tested = new TestedPoller(url, options, provider)
    this.#pollers.push(tested)
    return tested
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#pollers.splice(0).map(({ poller }) => poller.stop(AbortSignal.abort())))
    await Promise.all(this.#simulators.splice(0).map((simulator) => simulator.stop()))
  }
}
