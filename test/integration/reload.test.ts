/** A running connector takes over another configuration, and what it owes is counted from outside. */
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, inject, it } from 'vitest'
import type { LogLine } from '../../dev/connector/connector-process.js'
import { MTARGET_SOURCE, SEVEN_SOURCE } from '../../dev/oracle/expected-records.js'
import { LoadGenerator } from '../../dev/oracle/load-generator.js'
import { listProblems } from '../../dev/oracle/oracle.js'
import { freePort } from '../../dev/ports.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { Random } from '../../dev/simulators/random.js'
import { SevenCallbacks } from '../../dev/simulators/seven-callbacks.js'
import { receiptEvent } from '../../dev/simulators/seven-requests.js'
import { startTrial, untilPublished, type Trial, type TrialConfiguration } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

let trial: Trial
const more: { stop(): unknown }[] = []
afterEach(async () => {
  for (const each of more.splice(0)) await each.stop()
  await trial?.stop()
})

const linesOf = async (event: string): Promise<LogLine[]> =>
  (await trial.log()).filter((line) => line['event'] === event)

/** Changes the file, and resolves when the connector has taken it over without being told. */
async function reconfigure(change: (configuration: TrialConfiguration) => void): Promise<void> {
  const before = (await linesOf('configuration-reloaded')).length
  await trial.configure(change)
  await until(async () => (await linesOf('configuration-reloaded')).length > before, 20_000)
}

const hangUp = (): boolean => process.kill(trial.connector.pid!, 'SIGHUP')
const isIdle = async (): Promise<boolean> => (await trial.metric('dlrmo_journal_entries')) === 0
const callersWith = (token: string, source: string = SEVEN_SOURCE): SevenCallbacks => {
  const url = trial.callbackUrl.replace(/[^/]+\/[^/]+$/, `${source}/${token}`)
  const callers = new SevenCallbacks({ url, concurrency: 4 })
  more.push(callers)
  return callers
}
const receipts = (seed: number, count: number) => new ProviderData(seed).sevenReceipts(count).map(receiptEvent)

describe('Reloads under load', () => {
  it('of tokens, accounts, sources, Kafka and registry settings lose, double and refuse nothing', async () => {
    trial = await startTrial(stack)
    const { mtarget, connector } = trial
    await connector.start()
    let callers = trial.seven
    const all = [trial.seven]
    const load = new LoadGenerator(mtarget, () => callers, { seed: 14, rowsPerBatch: 40 })
    load.start()
    const setToken = (...token: string[]) =>
      reconfigure((configuration) => {
        configuration.sources[SEVEN_SOURCE].callback = { token }
      })
    const setPull = (change: Record<string, unknown>) =>
      reconfigure((configuration) => {
        Object.assign(configuration.sources[MTARGET_SOURCE].pull, change)
      })
    let token = 'secret-token'
    for (let round = 1; round <= 3; round++) {
      const [oldToken, oldPassword] = [token, round === 1 ? mtarget.password : `password-${round - 1}`]
      token = `token-of-round-${round}`
      await setToken(token, oldToken)
      callers = callersWith(token)
      all.push(callers)
      mtarget.setPasswords(oldPassword, `password-${round}`)
      await setPull({ password: `password-${round}` })
      // The callers that use the old token have got their answers by now.
      await setToken(token)
      await until(() => mtarget.answers.length > 0 && mtarget.answers.at(-1)!.rows.length > 0)
      const asked = mtarget.answers.length
      await until(() => mtarget.answers.length > asked + 2)
      mtarget.setPasswords(`password-${round}`)
      const extra = `extra-${round}`
      await reconfigure((configuration) => {
        configuration.sources[extra] = { provider: 'seven', callback: { token: 'another-token' } }
        configuration.kafka['compression'] = round % 2 === 0 ? 'none' : 'gzip'
        configuration.registry['register'] = round % 2 === 0
        configuration.callbacks['bodyLimit'] = `${round}MiB`
      })
      expect((await fetch(callersUrl(extra, 'another-token'), { method: 'POST' })).status).toBe(200)
      await reconfigure((configuration) => {
        delete configuration.sources[extra]
      })
      expect((await fetch(callersUrl(extra, 'another-token'), { method: 'POST' })).status).toBe(401)
    }
    await load.stop()
    await untilPublished(trial)

    const refused = all.flatMap(({ outcomes }) => outcomes).filter(({ status }) => status !== 200)
    expect(refused).toEqual([])
    expect(mtarget.answers.filter(({ outcome }) => outcome === 'account-error')).toEqual([])
    expect(await linesOf('configuration-reload-failed')).toEqual([])
    expect(await linesOf('publishing-waiting')).toEqual([])
    expect((await trial.status()).sources.map(({ source }) => source)).toEqual([MTARGET_SOURCE, SEVEN_SOURCE])
    // The series of a removed source end, so that no alert takes it for a silent one.
    expect(await trial.sum('dlrmo_last_received_timestamp_seconds{source="extra-1"}')).toBe(0)
    expect(await connector.terminate()).toBe(0)
    const records = (await trial.readAll()).filter(({ value }) => !String(value['source']).startsWith('extra-'))
    const verdict = trial.audit(records, { callbacks: all })
    expect(verdict.total.owed).toBeGreaterThan(1_000)
    expect(listProblems(verdict)).toEqual([])
  }, 240_000)

  it('lose and double nothing when the process is killed during a reload', async () => {
    trial = await startTrial(stack)
    const { mtarget, seven, connector } = trial
    const random = new Random(3)
    const load = new LoadGenerator(mtarget, () => (connector.isRunning ? seven : undefined), { seed: 3 })
    load.start()
    for (let round = 0; round < 8; round++) {
      mtarget.noteClientRestart()
      await connector.start()
      await trial.configure((configuration) => {
        configuration.kafka['compression'] = round % 2 === 0 ? 'gzip' : 'none'
        configuration.registry['register'] = round % 2 === 1
        configuration.sources[MTARGET_SOURCE].pull['idleDelay'] = `${200 + round}ms`
        configuration.sources[`extra-${round}`] = { provider: 'seven', callback: { token: 'another-token' } }
      })
      const before = (await linesOf('configuration-reloaded')).length
      hangUp()
      // While the file is loaded; or when it is, and poller, producer and encoder are being replaced.
      if (round % 2 === 0) await delay(random.integer(0, 150))
      else await until(async () => (await linesOf('configuration-reloaded')).length > before, 20_000)
      await connector.kill()
    }
    await load.stop()
    mtarget.noteClientRestart()
    await connector.start()
    await untilPublished(trial, 120_000)
    expect(await connector.terminate()).toBe(0)
    expect((await linesOf('configuration-reloaded')).length).toBeGreaterThanOrEqual(4)
    const verdict = trial.audit(await trial.readAll())
    expect(listProblems(verdict)).toEqual([])
  }, 240_000)
})

const callersUrl = (source: string, token: string): string =>
  trial.callbackUrl.replace(/[^/]+\/[^/]+$/, `${source}/${token}`)

describe('A pull that was sent', () => {
  it('is read to its end and journaled before the poller with the new account asks, however long it takes', async () => {
    trial = await startTrial(stack, (configuration) => {
      configuration.sources[MTARGET_SOURCE].pull['timeout'] = '1s'
    })
    const { mtarget, connector } = trial
    await connector.start()
    await until(() => mtarget.answers.length > 0)
    // The answer takes longer than pull.timeout as a whole, and has no pause that is so long.
    mtarget.fault({ pieces: { bytes: 200, pauseMs: 100 } })
    mtarget.enqueue(new ProviderData(5).mtargetReceipts(40))
    await until(() => mtarget.queued === 0)
    const [slow] = mtarget.answers.slice(-1)
    mtarget.setPasswords('next', mtarget.password)
    await reconfigure((configuration) => {
      configuration.sources[MTARGET_SOURCE].pull['password'] = 'next'
    })
    expect(slow!.delivered).toBe(false)
    // Another reload does not wait for the answer.
    await reconfigure((configuration) => {
      configuration['shutdownGrace'] = '19s'
    })
    expect(slow!.delivered).toBe(false)
    mtarget.setPasswords('next')
    await untilPublished(trial)
    expect(slow!.delivered).toBe(true)
    expect(await trial.sum('dlrmo_pull_answers_lost_total')).toBe(0)
    const verdict = trial.audit(await trial.readAll())
    expect(verdict.total).toMatchObject({ owed: 40, gone: 0 })
    expect(listProblems(verdict)).toEqual([])
  }, 120_000)
})

describe('A reload of Kafka settings', () => {
  it('publishes what waited, also entries of a source that a reload has removed', async () => {
    const deadPort = await freePort()
    trial = await startTrial(stack, (configuration) => {
      configuration.kafka['brokers'] = [`127.0.0.1:${deadPort}`]
      configuration.sources['leaving'] = { provider: 'seven', callback: { token: 'leaving' } }
    })
    await trial.connector.start()
    const leaving = callersWith('leaving', 'leaving')
    await leaving.send(receipts(1, 30))
    await trial.seven.send(receipts(2, 30))
    await reconfigure((configuration) => {
      delete configuration.sources['leaving']
    })
    await leaving.send(receipts(3, 1))
    expect(leaving.outcomes.map(({ status }) => status)).toEqual([...Array<number>(30).fill(200), 401])
    expect(await trial.metric('dlrmo_journal_entries')).toBe(60)
    await reconfigure((configuration) => {
      configuration.kafka['brokers'] = [...stack.brokers]
    })
    await until(isIdle, 30_000)
    const records = await trial.readAll()
    const countOf = (source: string): number => records.filter(({ value }) => value['source'] === source).length
    expect([countOf('leaving'), countOf(SEVEN_SOURCE), records.length]).toEqual([30, 30, 60])
    expect(records.every(({ topic }) => topic === trial.topics.dlr)).toBe(true)
  }, 120_000)
})

describe('A configuration file', () => {
  it('that is wrong changes nothing and is reported in log, status and metrics, until it is right', async () => {
    trial = await startTrial(stack)
    await trial.connector.start()
    const file = join(trial.folder, 'connector.yaml')
    const status = async () => (await fetch(`${trial.adminUrl}/status.json`)).json() as Promise<ReloadStatus>
    expect((await status()).configuration.failure).toBeNull()
    const loadedAt = await trial.metric('dlrmo_config_reload_success_timestamp_seconds')
    for (const content of ['kafka: {brokers: [a:1]', 'kafka: {broker: [a:1]}\nregistry: {}\nsources: {}\n']) {
      const failures = (await linesOf('configuration-reload-failed')).length
      await writeFile(file, content)
      await until(async () => (await linesOf('configuration-reload-failed')).length > failures, 20_000)
      await trial.seven.send(receipts(failures, 5))
    }
    const [, last] = await linesOf('configuration-reload-failed')
    expect(last).toMatchObject({ level: 'error', trigger: 'file' })
    expect(last!['problems']).toEqual(
      expect.arrayContaining([expect.stringContaining('connector.yaml:1:9 kafka.broker: unknown key')]),
    )
    const { configuration, problems } = await status()
    expect(configuration.failure?.reason).toContain('kafka.broker: unknown key')
    expect(problems).toEqual([
      expect.objectContaining({ severity: 'warning', runbook: 'DlrMoConnectorConfigReloadFailed' }),
    ])
    expect(await trial.metric('dlrmo_config_reload_successful')).toBe(0)
    expect(await trial.metric('dlrmo_config_reload_success_timestamp_seconds')).toBe(loadedAt)

    await trial.configure(() => undefined)
    await until(async () => (await trial.metric('dlrmo_config_reload_successful')) === 1, 20_000)
    expect((await status()).problems).toEqual([])
    expect(await linesOf('configuration-unchanged')).toHaveLength(1)
    await until(isIdle, 30_000)
    expect(listProblems(trial.audit(await trial.readAll()))).toEqual([])
    expect(trial.seven.outcomes.every((outcome) => outcome.status === 200)).toBe(true)
  }, 120_000)

  it('that needs a restart changes nothing, and names the keys', async () => {
    trial = await startTrial(stack)
    await trial.connector.start()
    const port = await freePort()
    await trial.configure((configuration) => {
      configuration.callbacks['port'] = port
      configuration.journal['maxBytes'] = '2GiB'
      configuration.sources[SEVEN_SOURCE].callback = { token: 'another-token' }
    })
    hangUp()
    await until(async () => (await linesOf('configuration-reload-failed')).length > 0, 20_000)
    const [line] = await linesOf('configuration-reload-failed')
    expect(line).toMatchObject({ restartKeys: ['journal.maxBytes', 'callbacks.port'] })
    expect(line!['problems']).toEqual([expect.stringContaining('need a restart')])
    await trial.seven.send(receipts(1, 5))
    expect(trial.seven.outcomes.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  }, 60_000)

  it('is loaded at SIGHUP although nothing has changed, and by a swap of a volume of Kubernetes', async () => {
    trial = await startTrial(stack)
    const volume = join(trial.folder, 'volume')
    /** Replaces the content as the kubelet does: a new folder, and a rename of the link to it. */
    const publish = async (name: string, token: string): Promise<void> => {
      await mkdir(join(volume, name))
      await writeFile(join(volume, name, 'token'), `${token}\n`)
      await symlink(name, join(volume, '..next'))
      await rename(join(volume, '..next'), join(volume, '..data'))
    }
    await mkdir(volume)
    await publish('..1', 'first-token')
    await symlink('..data/token', join(volume, 'token'))
    await trial.configure((configuration) => {
      configuration.sources[SEVEN_SOURCE].callback = { token: '${file:volume/token}' }
    })
    await trial.connector.start()
    await publish('..2', 'second-token')
    await rm(join(volume, '..1'), { recursive: true })
    await until(async () => (await linesOf('configuration-reloaded')).length === 1, 20_000)
    const [line] = await linesOf('configuration-reloaded')
    expect(line).toMatchObject({ trigger: 'file', changed: [`sources.${SEVEN_SOURCE}.callback.token`] })
    const statusWith = async (token: string): Promise<number> =>
      (await fetch(callersUrl(SEVEN_SOURCE, token), { method: 'POST' })).status
    expect([await statusWith('second-token'), await statusWith('first-token')]).toEqual([200, 401])
    hangUp()
    await until(async () => (await linesOf('configuration-unchanged')).length === 1, 20_000)
    expect((await linesOf('configuration-unchanged'))[0]).toMatchObject({ trigger: 'SIGHUP' })
  }, 60_000)
})

interface ReloadStatus {
  readonly configuration: { readonly failure: { readonly reason: string } | null }
  readonly problems: readonly unknown[]
}
