/** Everything that a test from outside needs: simulators, the connector as a process of its own, an independent reader. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connector, type ConnectorAddresses } from '../../dev/demo/connector.js'
import { Reader, type Seen, type Topics } from '../../dev/demo/reader.js'
import { freePort } from '../../dev/ports.js'
import { MtargetSimulator } from '../../dev/simulators/mtarget.js'
import { SevenCallbacks } from '../../dev/simulators/seven.js'

export interface TrialStack {
  readonly brokers: readonly string[]
  readonly registryUrl: string
}

export interface Trial {
  readonly name: string
  readonly folder: string
  readonly topics: Topics
  readonly mtarget: MtargetSimulator
  readonly seven: SevenCallbacks
  readonly callbackUrl: string
  readonly adminUrl: string
  readonly connector: Connector
  /** Reads the three topics to their ends, with a consumer group of its own. */
  readAll(): Promise<Seen[]>
  /** Values of one metric by its labels as written; 0 for one that is not there. */
  metric(name: string): Promise<number>
  stop(): Promise<void>
}

let count = 0

/** @param change what differs from the configuration of a plain trial */
export async function startTrial(
  stack: TrialStack,
  change: (configuration: Record<string, unknown>) => void = () => undefined,
): Promise<Trial> {
  const name = `trial-${process.pid}-${Date.now()}-${count++}`
  const folder = await mkdtemp(join(tmpdir(), 'dlrmo-trial-'))
  const topics = { dlr: `${name}.dlr`, mo: `${name}.mo`, deadLetter: `${name}.dead-letter` }
  const addresses: ConnectorAddresses = { callbacksPort: await freePort(), adminPort: await freePort() }
  const mtarget = await MtargetSimulator.start()
  const callbackUrl = `http://127.0.0.1:${addresses.callbacksPort}/callbacks/seven-main/secret-token`
  const adminUrl = `http://127.0.0.1:${addresses.adminPort}`
  const seven = new SevenCallbacks({ url: callbackUrl })
  const configuration = {
    instance: name,
    kafka: { brokers: [...stack.brokers], topics, createTopics: { partitions: 6 }, requestTimeout: '5s' },
    registry: { url: stack.registryUrl },
    journal: { directory: 'journal' },
    callbacks: { host: '127.0.0.1', port: addresses.callbacksPort },
    admin: { port: addresses.adminPort },
    sources: {
      'mtarget-fr': {
        provider: 'mtarget',
        pull: { url: mtarget.url, username: mtarget.username, password: mtarget.password, idleDelay: '200ms' },
      },
      'seven-main': { provider: 'seven', callback: { token: 'secret-token' } },
    },
  }
  change(configuration)
  const connector = await Connector.configure(folder, addresses, configuration)
  return {
    name,
    folder,
    topics,
    mtarget,
    seven,
    callbackUrl,
    adminUrl,
    connector,
    async readAll() {
      const reader = new Reader([...stack.brokers], stack.registryUrl, topics, () => undefined)
      try {
        await reader.start()
        await reader.readToTheEnd()
        return reader.seen
      } finally {
        await reader.stop()
      }
    },
    async metric(wanted) {
      const text = await (await fetch(`${adminUrl}/metrics`)).text()
      const line = text.split('\n').find((each) => each.startsWith(`${wanted} `))
      return Number(line?.slice(wanted.length + 1) ?? 0)
    },
    async stop() {
      await connector.kill()
      seven.stop()
      await mtarget.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Waits until nothing is left in the queue and in the journal. */
export async function untilPublished(trial: Trial, patience = 60_000): Promise<void> {
  await until(async () => {
    const entries = await trial.metric('dlrmo_journal_entries')
    const asked = trial.mtarget.queued === 0 && trial.mtarget.answers.at(-1)?.rows.length === 0
    return asked && entries === 0
  }, patience)
}

/** Looks again and again, for what only another process can make true. */
export async function until(isTrue: () => Promise<boolean> | boolean, patience = 30_000): Promise<void> {
  const end = Date.now() + patience
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${isTrue.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
