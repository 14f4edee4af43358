/** A trial: one connector process between simulated providers, a real broker and a real registry. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConnectorProcess, PROCESS_NUMBER } from './connector/connector-process.js'
import type { Program } from './connector/program.js'
import { MTARGET_SOURCE, SEVEN_SOURCE } from './oracle/expected-records.js'
import { audit, type HandedOut } from './oracle/handed-out.js'
import type { Verdict } from './oracle/oracle.js'
import { TopicReader, type TopicRecord, type Topics } from './oracle/topic-reader.js'
import { freePort } from './ports.js'
import { MtargetSimulator } from './simulators/mtarget.js'
import { SevenCallbacks } from './simulators/seven-callbacks.js'
import { until } from './wait.js'
import { workDirectory } from './work-directory.js'

export interface TrialStack {
  readonly brokers: readonly string[]
  readonly registryUrl: string
}

type Section = Record<string, unknown>

/** The configuration of the connector in a trial. Every key that is not here has its default. */
export interface TrialConfiguration extends Section {
  instance: string
  kafka: Section
  registry: Section
  journal: Section
  callbacks: Section
  admin: Section
  sources: {
    [MTARGET_SOURCE]: { provider: 'mtarget'; pull: Section }
    [SEVEN_SOURCE]: { provider: 'seven'; callback: Section }
    [more: string]: Section
  }
}

export interface TrialOptions {
  /** Default: topics that only this trial uses. */
  readonly topics?: Topics
  /** Default: the connector as built in this checkout. */
  readonly program?: Program
  /** The account of the queue. Default: one whose password contains characters that forms and URLs encode. */
  readonly account?: { readonly username: string; readonly password: string }
}

const TOKEN = 'secret-token'
const ACCOUNT = { username: 'trial-account', password: 'p4ss w%rd&+=é' }

let trials = 0

export type Trial = Awaited<ReturnType<typeof startTrial>>

/**
 * Configures a connector and starts the simulators. The caller starts the connector, and stops the trial.
 * @param change called with the configuration before the connector is configured with it
 */
export async function startTrial(
  stack: TrialStack,
  change: (configuration: TrialConfiguration) => void = () => undefined,
  options: TrialOptions = {},
) {
  trials++
  const name = `trial-${process.pid}-${Date.now()}-${trials}`
  const folder = await workDirectory('trial')
  const topics: Topics = options.topics ?? { dlr: `${name}.dlr`, mo: `${name}.mo`, deadLetter: `${name}.dead-letter` }
  const addresses = { callbacksPort: await freePort(), adminPort: await freePort() }
  const account = options.account ?? ACCOUNT
  const mtarget = await MtargetSimulator.start(account)
  const callbackUrl = `http://127.0.0.1:${addresses.callbacksPort}/callbacks/${SEVEN_SOURCE}/${TOKEN}`
  const seven = new SevenCallbacks({ url: callbackUrl })
  const configuration: TrialConfiguration = {
    instance: name,
    kafka: { brokers: [...stack.brokers], topics, createTopics: { partitions: 6 }, requestTimeout: '5s' },
    registry: { url: stack.registryUrl },
    journal: { directory: 'journal' },
    callbacks: { host: '127.0.0.1', port: addresses.callbacksPort },
    admin: { port: addresses.adminPort },
    sources: {
      [MTARGET_SOURCE]: {
        provider: 'mtarget',
        pull: { url: `${mtarget.url}?process=${PROCESS_NUMBER}`, ...account, idleDelay: '200ms' },
      },
      [SEVEN_SOURCE]: { provider: 'seven', callback: { token: TOKEN } },
    },
  }
  change(configuration)
  const connector = await ConnectorProcess.configure(folder, addresses, configuration, options.program)
  const readers: TopicReader[] = []
  const newReader = (): TopicReader => new TopicReader({ ...stack, topics })
  return {
    name,
    stack,
    folder,
    topics,
    mtarget,
    seven,
    callbackUrl,
    adminUrl: connector.adminUrl,
    connector,
    /** Changes the configuration for the next start of the connector. */
    async configure(changeNow: (configuration: TrialConfiguration) => void): Promise<void> {
      changeNow(configuration)
      await ConnectorProcess.configure(folder, addresses, configuration, options.program)
    },
    /** Reads the three topics from their beginning to their end. */
    readAll: () => newReader().readAll(),
    /** Returns a reader that has started at the beginning and keeps reading until the trial stops. */
    async follow(): Promise<TopicReader> {
      const reader = newReader()
      readers.push(reader)
      await reader.start()
      return reader
    },
    /**
     * Compares the records with everything that the simulators handed out.
     * @param more replaces or adds to what the simulators of this trial handed out
     */
    audit: (records: Iterable<TopicRecord>, more: Partial<HandedOut> = {}): Verdict =>
      audit(topics, { answers: mtarget.answers, callbacks: [seven], ...more }, records),
    metric: (metric: string) => connector.metric(metric),
    sum: (metric: string) => connector.sum(metric),
    status: () => connector.status(),
    log: () => connector.log(),
    /**
     * Kills the connector, stops the simulators, and deletes the folder.
     * @throws Error when the log or the journal contains a credential
     */
    async stop(): Promise<void> {
      await connector.kill()
      seven.stop()
      await mtarget.stop()
      for (const reader of readers) await reader.stop()
      const found = await credentialsUnder(folder)
      await rm(folder, { recursive: true, force: true })
      if (found.length > 0) throw new Error(`The connector wrote credentials to disk: ${found.join(', ')}`)
    },
  }
}

/** The credentials of a trial that the content contains, as plain text or encoded as in a form or a URL. */
export function credentialsIn(content: string | Buffer): string[] {
  const secrets = [TOKEN, ...Object.values(ACCOUNT)].flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
  ])
  return [...new Set(secrets)].filter((secret) => content.includes(secret))
}

/** The credentials in the files of a folder, with the names of the files. */
async function credentialsUnder(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    // The reserve contains only zeros, and a configuration may contain credentials.
    if (!file.isFile() || file.name === 'reserve.bin' || file.name.endsWith('.yaml')) continue
    const content = await readFile(join(file.parentPath, file.name))
    found.push(...credentialsIn(content).map((secret) => `${secret} in ${file.name}`))
  }
  return found
}

/** Resolves when the queue of Mtarget is empty and the journal has released every entry. */
export async function untilPublished(trial: Trial, timeoutMs = 60_000): Promise<void> {
  await until(async () => trial.mtarget.isDrained && (await trial.metric('dlrmo_journal_entries')) === 0, timeoutMs)
}
