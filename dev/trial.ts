/** Everything that a test from outside needs: simulators, the connector as a process of its own, an independent reader. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConnectorProcess, type ConnectorAddresses, PROCESS_NUMBER } from './connector/connector-process.js'
import { TopicReader, type TopicRecord, type Topics } from './oracle/topic-reader.js'
import { freePort } from './ports.js'
import { workDirectory } from './work-directory.js'
import { MtargetSimulator } from './simulators/mtarget.js'
import { SevenCallbacks } from './simulators/seven-callbacks.js'
import { until } from './wait.js'

export interface TrialStack {
  readonly brokers: readonly string[]
  readonly registryUrl: string
}

type Section = Record<string, unknown>

/** What a plain trial is configured with; everything that is not here is its default. */
export interface TrialConfiguration extends Section {
  instance: string
  kafka: Section
  registry: Section
  journal: Section
  callbacks: Section
  admin: Section
  sources: {
    'mtarget-fr': { provider: 'mtarget'; pull: Section }
    'seven-main': { provider: 'seven'; callback: Section }
    [more: string]: Section
  }
}

/** A line of the connector's log. */
export interface LogLine extends Section {
  readonly level: string
  readonly msg: string
}

export interface Trial {
  readonly name: string
  readonly folder: string
  readonly topics: Topics
  readonly mtarget: MtargetSimulator
  readonly seven: SevenCallbacks
  readonly callbackUrl: string
  readonly adminUrl: string
  readonly connector: ConnectorProcess
  /** Changes the configuration for the next start. */
  configure(change: (configuration: TrialConfiguration) => void): Promise<void>
  /** Reads the three topics to their ends, with a consumer group of its own. */
  readAll(): Promise<TopicRecord[]>
  /** A reader that has begun at the beginning and goes on; `stop` stops it. */
  follow(): Promise<TopicReader>
  /** The value of one metric with its labels as written; 0 for one that is not there. */
  metric(name: string): Promise<number>
  /** The sum over all labels. */
  sum(name: string): Promise<number>
  /** Of `/status.json`. */
  status(): Promise<Status>
  log(): Promise<LogLine[]>
  /**
   * Ends everything.
   * @throws Error when a credential was found in the log or in the journal
   */
  stop(): Promise<void>
}

/** The part of `/status.json` that tests look at. */
export interface Status {
  readonly ready: boolean
  readonly publishing: { readonly state: string; readonly reason: string | null }
  readonly registry: { readonly state: string; readonly reason: string | null }
  readonly journal: { readonly entries: number; readonly refusal: string | null }
  readonly sources: readonly {
    readonly source: string
    readonly pull: { readonly state: string; readonly lastError: string | null } | null
  }[]
}

const TOKEN = 'secret-token'
/** With characters that a form and a URL write otherwise. */
const ACCOUNT = { username: 'trial-account', password: 'p4ss w%rd&+=é' }

let count = 0

/** @param change what differs from the configuration of a plain trial */
export async function startTrial(
  stack: TrialStack,
  change: (configuration: TrialConfiguration) => void = () => undefined,
): Promise<Trial> {
  const name = `trial-${process.pid}-${Date.now()}-${count++}`
  const folder = await workDirectory('trial')
  const topics = { dlr: `${name}.dlr`, mo: `${name}.mo`, deadLetter: `${name}.dead-letter` }
  const addresses: ConnectorAddresses = { callbacksPort: await freePort(), adminPort: await freePort() }
  const mtarget = await MtargetSimulator.start(ACCOUNT)
  const callbackUrl = `http://127.0.0.1:${addresses.callbacksPort}/callbacks/seven-main/${TOKEN}`
  const adminUrl = `http://127.0.0.1:${addresses.adminPort}`
  const seven = new SevenCallbacks({ url: callbackUrl })
  const configuration: TrialConfiguration = {
    instance: name,
    kafka: { brokers: [...stack.brokers], topics, createTopics: { partitions: 6 }, requestTimeout: '5s' },
    registry: { url: stack.registryUrl },
    journal: { directory: 'journal' },
    callbacks: { host: '127.0.0.1', port: addresses.callbacksPort },
    admin: { port: addresses.adminPort },
    sources: {
      'mtarget-fr': {
        provider: 'mtarget',
        pull: { url: `${mtarget.url}?process=${PROCESS_NUMBER}`, ...ACCOUNT, idleDelay: '200ms' },
      },
      'seven-main': { provider: 'seven', callback: { token: TOKEN } },
    },
  }
  change(configuration)
  const connector = await ConnectorProcess.configure(folder, addresses, configuration)
  const readers: TopicReader[] = []
  const newReader = (): TopicReader => new TopicReader([...stack.brokers], stack.registryUrl, topics, () => undefined)
  const metrics = async (): Promise<string[]> => (await (await fetch(`${adminUrl}/metrics`)).text()).split('\n')
  return {
    name,
    folder,
    topics,
    mtarget,
    seven,
    callbackUrl,
    adminUrl,
    connector,
    async configure(changeNow) {
      changeNow(configuration)
      await ConnectorProcess.configure(folder, addresses, configuration)
    },
    readAll: () => newReader().readAll(),
    async follow() {
      const reader = newReader()
      readers.push(reader)
      await reader.start()
      return reader
    },
    async metric(wanted) {
      const line = (await metrics()).find((each) => each.startsWith(`${wanted} `))
      return Number(line?.slice(wanted.length + 1) ?? 0)
    },
    async sum(wanted) {
      const lines = (await metrics()).filter((each) => each.startsWith(`${wanted}{`) || each.startsWith(`${wanted} `))
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    },
    status: async () => (await (await fetch(`${adminUrl}/status.json`)).json()) as Status,
    async log() {
      const text = await readFile(connector.logFile, 'utf8').catch(() => '')
      return text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogLine)
    },
    async stop() {
      await connector.kill()
      seven.stop()
      await mtarget.stop()
      for (const reader of readers) await reader.stop()
      const found = await credentialsUnder(folder)
      await rm(folder, { recursive: true, force: true })
      if (found.length > 0) throw new Error(`credentials were written down: ${found.join(', ')}`)
    },
  }
}

/** What is in there that lets anybody in, as it is or as forms and URLs write it. */
export function credentialsIn(content: string | Buffer): string[] {
  const secrets = [TOKEN, ...Object.values(ACCOUNT)].flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
  ])
  return [...new Set(secrets)].filter((secret) => content.includes(secret))
}

/** The same of a folder's files: logs, the journal. */
async function credentialsUnder(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    // The reserve is zeros; a configuration is where they belong.
    if (!file.isFile() || file.name === 'reserve.bin' || file.name.endsWith('.yaml')) continue
    const content = await readFile(join(file.parentPath, file.name))
    found.push(...credentialsIn(content).map((secret) => `${secret} in ${file.name}`))
  }
  return found
}

/** Waits until nothing is left in the queue and in the journal. */
export async function untilPublished(trial: Trial, patience = 60_000): Promise<void> {
  await until(async () => {
    const entries = await trial.metric('dlrmo_journal_entries')
    const asked = trial.mtarget.queued === 0 && trial.mtarget.answers.at(-1)?.rows.length === 0
    return asked && entries === 0
  }, patience)
}
