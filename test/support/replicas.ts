/** Several connectors that share the work. Each is a process of its own; providers and topics are the same for all. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type ConnectorAddresses, ConnectorProcess } from '../../dev/connector/connector-process.js'
import { TopicReader, type TopicRecord, type Topics } from '../../dev/oracle/topic-reader.js'
import { freePort } from '../../dev/ports.js'
import { workDirectory } from '../../dev/work-directory.js'
import { ProviderData, type SevenReceipt } from '../../dev/simulators/provider-data.js'
import { MtargetSimulator } from '../../dev/simulators/mtarget.js'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import { SevenCallbacks } from '../../dev/simulators/seven-callbacks.js'
import { berlinTime, outboundRow } from '../../dev/simulators/seven-log.js'
import { type TrialStack } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

export const SESSION_TIMEOUT = 6_000
const TOKEN = 'secret-token'
const FINAL = ['DELIVERED', 'NOTDELIVERED', 'EXPIRED', 'REJECTED', 'FAILED'] as const

/** The part of `/status.json` that the tests of sharing read. */
export interface SharedStatus {
  readonly sharing: {
    readonly membership: string
    readonly reason: string | null
    readonly following: { state: string }
  }
  readonly sources: readonly {
    readonly source: string
    readonly owned: boolean
    readonly pull: { readonly state: string } | null
    readonly reconciling: { readonly state: string; readonly watched: number } | null
  }[]
}

export class ReplicaProcess {
  readonly name: string
  readonly connector: ConnectorProcess
  readonly adminUrl: string
  readonly calls: SevenCallbacks
  /** Whether the process is expected to answer now. */
  up = false

  constructor(name: string, connector: ConnectorProcess) {
    this.name = name
    this.connector = connector
    this.adminUrl = `http://127.0.0.1:${connector.addresses.adminPort}`
    this.calls = new SevenCallbacks({
      url: `http://127.0.0.1:${connector.addresses.callbacksPort}/callbacks/seven-main/${TOKEN}`,
      timeoutMs: 2_000,
    })
  }

  async start(): Promise<void> {
    await this.connector.start()
    this.up = true
  }

  async kill(): Promise<void> {
    this.up = false
    await this.connector.kill()
  }

  async terminate(): Promise<number> {
    this.up = false
    return this.connector.terminate()
  }

  /** Sends SIGSTOP or SIGCONT. */
  freeze(frozen: boolean): void {
    this.up = !frozen
    process.kill(this.connector.pid!, frozen ? 'SIGSTOP' : 'SIGCONT')
  }

  async status(): Promise<SharedStatus> {
    const answer = await fetch(`${this.adminUrl}/status.json`, { signal: AbortSignal.timeout(2_000) })
    return (await answer.json()) as SharedStatus
  }

  async sum(metric: string): Promise<number> {
    const text = await (await fetch(`${this.adminUrl}/metrics`, { signal: AbortSignal.timeout(2_000) })).text()
    const lines = text.split('\n').filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }
}

export class Replicas {
  readonly replicas: ReplicaProcess[] = []
  readonly accounts = new Map<string, MtargetSimulator>()
  readonly data = new ProviderData(11)
  /** The receipts in seven's message log. Each must be published once, whether its callback was taken or not. */
  readonly receipts: SevenReceipt[] = []
  /** What the replicas are configured with. */
  apiKey = 'api-key'
  readonly #stack: TrialStack
  readonly #folder: string
  readonly #name: string
  readonly #topics: Topics
  readonly #api: SevenSimulator
  #calledReplicas = 0

  static async start(stack: TrialStack, accounts: number): Promise<Replicas> {
    const folder = await workDirectory('trial')
    const replicas = new Replicas(stack, folder, await SevenSimulator.start({ apiKey: 'api-key' }))
    for (let i = 0; i < accounts; i++) replicas.accounts.set(`account-${i}`, await MtargetSimulator.start())
    return replicas
  }

  private constructor(stack: TrialStack, folder: string, api: SevenSimulator) {
    this.#stack = stack
    this.#folder = folder
    this.#api = api
    this.#name = `replicas-${process.pid}-${Date.now()}`
    this.#topics = { dlr: `${this.#name}.dlr`, mo: `${this.#name}.mo`, deadLetter: `${this.#name}.dead-letter` }
  }

  get api(): SevenSimulator {
    return this.#api
  }

  get sharing(): { readonly group: string; readonly topic: string } {
    return { group: this.#name, topic: `${this.#name}.sources` }
  }

  /** Configures another replica without starting it. */
  async add(): Promise<ReplicaProcess> {
    const name = `${this.#name}-${this.replicas.length}`
    await mkdir(join(this.#folder, name))
    const addresses = { callbacksPort: await freePort(), adminPort: await freePort() }
    const replica = new ReplicaProcess(name, await this.#configure(name, addresses))
    this.replicas.push(replica)
    return replica
  }

  /** Starts another account, which no replica knows yet. */
  async addAccount(name: string): Promise<MtargetSimulator> {
    const account = await MtargetSimulator.start()
    this.accounts.set(name, account)
    return account
  }

  /** Writes the present accounts and API key into the file of a replica, which loads it by itself. */
  async reconfigure({ name, connector }: ReplicaProcess): Promise<void> {
    await this.#configure(name, connector.addresses)
  }

  async #configure(name: string, addresses: ConnectorAddresses): Promise<ConnectorProcess> {
    const folder = join(this.#folder, name)
    const pulled = [...this.accounts].map(([source, { url, username, password }]) => [
      source,
      { provider: 'mtarget', pull: { url, username, password, idleDelay: '200ms' } },
    ])
    const times = { after: '1s', every: '500ms', giveUpAfter: '1h', log: { every: '1s', days: 1 } }
    const reconcile = { url: this.#api.url, apiKey: this.apiKey, requestsPerSecond: 50, ...times }
    return ConnectorProcess.configure(folder, addresses, {
      instance: name,
      kafka: {
        brokers: [...this.#stack.brokers],
        topics: this.#topics,
        createTopics: { partitions: 3 },
        requestTimeout: '5s',
      },
      registry: { url: this.#stack.registryUrl },
      journal: { directory: 'journal' },
      callbacks: { host: '127.0.0.1', port: addresses.callbacksPort },
      admin: { port: addresses.adminPort },
      shutdownGrace: '5s',
      sharing: { ...this.sharing, sessionTimeout: `${SESSION_TIMEOUT}ms` },
      log: { level: 'info' },
      sources: {
        ...(Object.fromEntries(pulled) as object),
        'seven-main': { provider: 'seven', callback: { token: TOKEN }, reconcile },
      },
    })
  }

  get live(): ReplicaProcess[] {
    return this.replicas.filter(({ up }) => up)
  }

  /** Returns for each source the live replicas that own it. */
  async owners(): Promise<Map<string, ReplicaProcess[]>> {
    const owners = new Map<string, ReplicaProcess[]>([...this.accounts.keys(), 'seven-main'].map((name) => [name, []]))
    for (const replica of this.live) {
      const { sources } = await replica.status()
      for (const { source, owned } of sources) if (owned) owners.get(source)?.push(replica)
    }
    return owners
  }

  async memberships(): Promise<string[]> {
    return Promise.all(this.live.map(async (replica) => (await replica.status()).sharing.membership))
  }

  /** Resolves with the milliseconds that it took until all live replicas are members and each source has one owner. */
  async untilDivided(timeoutMs = 30_000): Promise<number> {
    const began = Date.now()
    await until(async () => {
      const memberships = await this.memberships().catch(() => ['away'])
      const owners = await this.owners().catch(() => undefined)
      if (owners === undefined || memberships.some((membership) => membership !== 'assigned')) return false
      return [...owners.values()].every((each) => each.length === 1)
    }, timeoutMs)
    return Date.now() - began
  }

  /** Resolves when no live replica polls a source that another one owns: the page before has been stored or is lost. */
  async untilHandedOver(timeoutMs = 30_000): Promise<void> {
    await until(async () => {
      const statuses = await Promise.all(this.live.map((replica) => replica.status()))
      const foreign = statuses.flatMap(({ sources }) => sources.filter(({ owned }) => !owned))
      return foreign.every(({ pull }) => pull === null || pull.state === 'not-here')
    }, timeoutMs)
  }

  /** Resolves with the milliseconds that it took until each account was polled after this call. */
  async untilAllAsked(timeoutMs = 30_000): Promise<number> {
    const began = Date.now()
    await until(() => [...this.accounts.values()].every(({ answers }) => (answers.at(-1)?.at ?? 0) >= began), timeoutMs)
    return Date.now() - began
  }

  /** Makes one callback per receipt of seven to one replica, whether it is up or not. */
  async callBack(count: number, replica = this.#next()): Promise<void> {
    const receipts = this.data.sevenReceipts(count).map(({ msg_id }, i) => ({ msg_id, status: FINAL[i % 5]! }))
    const now = berlinTime(Date.now())
    for (const { msg_id, status } of receipts) this.#api.outbound.push(outboundRow(msg_id, status, now))
    this.receipts.push(...receipts)
    await replica.calls.send(receipts.map((data) => ({ kind: 'dlr', data })))
  }

  async untilPublished(timeoutMs = 60_000): Promise<void> {
    await until(async () => {
      const queued = [...this.accounts.values()].some(
        ({ queued, answers }) => queued > 0 || answers.at(-1)?.rows.length,
      )
      const entries = await Promise.all(this.live.map((replica) => replica.sum('dlrmo_journal_entries')))
      return !queued && entries.every((count) => count === 0)
    }, timeoutMs)
  }

  readAll(): Promise<readonly TopicRecord[]> {
    return this.#reader().readAll()
  }

  /** Starts a reader that the caller must stop. */
  async follow(): Promise<TopicReader> {
    const reader = this.#reader()
    await reader.start()
    return reader
  }

  async stop(): Promise<void> {
    for (const replica of this.replicas) {
      replica.calls.stop()
      await replica.kill()
    }
    for (const account of this.accounts.values()) await account.stop()
    await this.#api.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #reader(): TopicReader {
    return new TopicReader({ ...this.#stack, topics: this.#topics })
  }

  #next(): ReplicaProcess {
    const replica = this.replicas[this.#calledReplicas % this.replicas.length]!
    this.#calledReplicas++
    return replica
  }
}
