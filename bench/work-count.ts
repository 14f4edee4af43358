/**
 * Counts the work of the built connector from outside: requests to the broker and the registry by proxies, commits of the
 * journal by the number that LMDB gives them, and allocations by a module that is loaded into the process.
 *
 * Pages and callbacks are given to it one at a time, each after the one before has left the journal, so that each is a
 * transaction of its own on a fast machine and on a slow one.
 */
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { open } from 'lmdb'
import { RegistryProxy } from '../dev/faults/registry-proxy.js'
import { API, KafkaProxy } from '../dev/fault-injection/kafka-proxy.js'
import type { TrialStack } from '../dev/trial.js'
import { until } from '../dev/wait.js'
import { workDirectory } from '../dev/work-directory.js'
import { startPullConnector, type PullConnector } from './contenders/connector.js'
import { LARGE_PAGES, PAGE_ROWS } from './contenders/contender.js'
import { quantile } from './statistics.js'
import type { WorkCount } from './work-limits.js'

const PRELOAD = new URL('preload/allocations.mjs', import.meta.url).href
/**
 * Without the optimising compiler the allocations of a function do not depend on whether it has been compiled yet. The young
 * generation is large, so that there are few collections to account for.
 */
const NODE_OPTIONS = ['--no-opt', '--max-semi-space-size=64', '--import', PRELOAD]

const WARM_UP_PAGES = 2
const MEASURED_PAGES = 8
const MEASURED_CALLBACKS = 12
/** Each measurement of allocations is one drain of this many pages, because signals and transactions would weigh on one page. */
const PAGES_PER_DRAIN = 5
const MEASURED_DRAINS = 3

export interface CountedWork {
  readonly counts: WorkCount
  /** The requests of the transaction of a page, in order, by their names. */
  readonly requestsOfPage: readonly string[]
}

export async function countWork(stack: TrialStack): Promise<CountedWork> {
  const broker = await KafkaProxy.startInFrontOf(stack.brokers[0]!)
  const registry = await RegistryProxy.startInFrontOf(stack.registryUrl)
  const folder = await workDirectory('trial')
  const allocationsFile = join(folder, 'allocations')
  // The connector inherits the environment of this process.
  process.env['BENCH_ALLOCATIONS'] = allocationsFile
  try {
    const counted = { brokers: [broker.address], registryUrl: registry.url.replace(/\/$/, '') }
    const connector = await startPullConnector(counted, 'counted', {
      limit: LARGE_PAGES,
      nodeOptions: NODE_OPTIONS,
      queue: { distinctRows: PAGES_PER_DRAIN * PAGE_ROWS },
    })
    try {
      return await new WorkCounter(connector, broker, registry, allocationsFile).count()
    } finally {
      await connector.stop()
    }
  } finally {
    await broker.close()
    await registry.close()
    delete process.env['BENCH_ALLOCATIONS']
    await rm(folder, { recursive: true, force: true })
  }
}

const nameOfRequest = (apiKey: number): string =>
  Object.entries(API).find(([, key]) => key === apiKey)?.[0] ?? `API key ${apiKey}`

class WorkCounter {
  readonly #connector: PullConnector
  readonly #registry: RegistryProxy
  /** The journal, which is only read here. */
  readonly #journal: ReturnType<typeof open>
  readonly #entries: ReturnType<ReturnType<typeof open>['openDB']>
  readonly #allocationsFile: string
  /** API keys. */
  readonly #brokerRequests: number[] = []
  #nextReceipt = 0

  constructor(connector: PullConnector, broker: KafkaProxy, registry: RegistryProxy, allocationsFile: string) {
    this.#connector = connector
    this.#registry = registry
    broker.setRule((apiKey) => {
      this.#brokerRequests.push(apiKey)
      return 'pass'
    })
    this.#journal = open({ path: join(connector.trial.folder, 'journal', 'lmdb'), readOnly: true, maxDbs: 8 })
    this.#entries = this.#journal.openDB('entries', { encoding: 'msgpack' })
    this.#allocationsFile = allocationsFile
  }

  async count(): Promise<CountedWork> {
    const registryRequestsAtStart = this.#registry.requestsIn('pass')
    for (let page = 0; page < WARM_UP_PAGES; page++) await this.#pullPages(1)
    const page = await this.#countEach(MEASURED_PAGES, () => this.#pullPages(1))
    const callback = await this.#countEach(MEASURED_CALLBACKS, () => this.#sendCallback())
    const allocatedKilobytes = await this.#measureAllocations()
    await this.#journal.close()
    const counts = {
      brokerRequestsPerPage: page.requests.length,
      journalCommitsPerPage: page.commits,
      brokerRequestsPerCallback: callback.requests.length,
      journalCommitsPerCallback: callback.commits,
      registryRequestsAtStart,
      registryRequestsWhilePublishing: this.#registry.requestsIn('pass') - registryRequestsAtStart,
      heapKilobytesPer1000Items: allocatedKilobytes,
    }
    return { counts, requestsOfPage: page.requests.map(nameOfRequest) }
  }

  /**
   * The fewest requests of a transaction, because how often the broker has to be asked again while it completes the transaction
   * before depends on its speed; and the mean number of commits.
   */
  async #countEach(times: number, work: () => Promise<void>): Promise<{ requests: number[]; commits: number }> {
    const requests: number[][] = []
    const commitsBefore = this.#lastCommit()
    for (let time = 0; time < times; time++) {
      this.#brokerRequests.length = 0
      await work()
      requests.push([...this.#brokerRequests])
    }
    const [fewest = []] = requests.toSorted((one, other) => one.length - other.length)
    return { requests: fewest, commits: (this.#lastCommit() - commitsBefore) / times }
  }

  async #pullPages(pages: number): Promise<void> {
    await this.#connector.handOut(pages * PAGE_ROWS)
    await this.#untilReleased()
  }

  async #sendCallback(): Promise<void> {
    const { callbackUrl } = this.#connector.trial
    const answer = await fetch(`${callbackUrl}?msg_id=${this.#nextReceipt}&status=DELIVERED`)
    if (answer.status !== 200) throw new Error(`a callback was answered with ${answer.status}`)
    this.#nextReceipt++
    await this.#untilReleased()
  }

  /** Kilobytes of V8's heap that the main thread allocates for 1,000 items; the median of several drains. */
  async #measureAllocations(): Promise<number> {
    const drains: number[] = []
    await this.#signal()
    for (let drain = 1; drain <= MEASURED_DRAINS; drain++) {
      await this.#pullPages(PAGES_PER_DRAIN)
      await this.#signal()
      await until(() => this.#allocations().length === drain)
      drains.push(this.#allocations().at(-1)! / (PAGES_PER_DRAIN * PAGE_ROWS))
    }
    return quantile(drains, 0.5)
  }

  async #signal(): Promise<void> {
    process.kill(this.#connector.pid, 'SIGUSR2')
  }

  #allocations(): number[] {
    return readFileSync(this.#allocationsFile, { encoding: 'utf8', flag: 'a+' })
      .split('\n')
      .filter((line) => line !== '')
      .map(Number)
  }

  /** Everything that was handed out is in the journal by then, because the queue was asked again. */
  #untilReleased(): Promise<void> {
    return until(() => {
      this.#journal.resetReadTxn()
      return (this.#entries.getStats() as { entryCount: number }).entryCount === 0
    })
  }

  /** LMDB numbers its commits, and makes each durable by an fsync. */
  #lastCommit(): number {
    return (this.#journal.getStats() as { lastTxnId: number }).lastTxnId
  }
}
