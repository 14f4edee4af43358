/** From SIGTERM to the end of the process: what is still received, what is awaited, what is logged. */
import { afterEach, describe, expect, inject, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { distinctAnswers, sendReceipts, expectEachItemOnce } from '../support/trial-assertions.js'
import { call, type Answer } from '../support/call.js'
import { TcpGate } from '../../dev/fault-injection/tcp-gate.js'
import { RawConnection } from '../support/raw-http.js'
import { credentialsIn, startTrial, untilPublished, type Trial, type TrialConfiguration } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const data = new ProviderData(41)

let trial: Trial
afterEach(() => trial?.stop())

const begin = async (change?: (configuration: TrialConfiguration) => void): Promise<void> => {
  trial = await startTrial(stack, change)
  await trial.connector.start()
}
const sigterm = (): void => {
  process.kill(trial.connector.pid!, 'SIGTERM')
}
/** The exit code, without sending another signal, which would end every wait. */
const exitCode = async (): Promise<number | undefined> => {
  await until(() => trial.connector.exitCode !== undefined)
  return trial.connector.exitCode
}
/** Waits until the callbacks server has closed. The requests have a wrong token, so none of them is stored. */
const untilClosed = (): Promise<void> => until(async () => (await tryTo(`${trial.callbackUrl}-wrong`)) === undefined)
/** Resolves with undefined if the connection is refused. */
const tryTo = (url: string): Promise<Answer | undefined> => call(url).catch(() => undefined)

describe('After SIGTERM', () => {
  it('/readyz answers 503 and callbacks are accepted for drainDelay, then the callbacks server closes and everything is published', async () => {
    await begin(({ callbacks }) => (callbacks['drainDelay'] = '5s'))
    await sendReceipts(trial, data, 20)
    sigterm()
    await until(async () => (await tryTo(`${trial.adminUrl}/readyz`))?.status === 503)
    expect(await tryTo(`${trial.adminUrl}/readyz`)).toMatchObject({
      status: 503,
      body: expect.stringMatching(/^stopping/) as string,
    })
    expect((await tryTo(`${trial.adminUrl}/livez`))?.status).toBe(200)
    expect(distinctAnswers(await sendReceipts(trial, data, 20))).toEqual([200])
    // A caller that keeps its connection open is asked to close it.
    const late = await call(`${trial.callbackUrl}?msg_id=late&status=DELIVERED`, {
      headers: { connection: 'keep-alive' },
    })
    expect(late).toMatchObject({ status: 200, headers: { connection: 'close' } })
    await untilClosed()
    expect(await exitCode()).toBe(0)
    const seen = await trial.readAll()
    expect(seen).toHaveLength(41)
    expectEachItemOnce(trial, seen, [{ msg_id: 'late', status: 'DELIVERED' }])
  })

  it('the pending answer of a queue is awaited, taken into custody and published', async () => {
    await begin()
    const rows = data.mtargetMix(30)
    trial.mtarget.fault({ latencyMs: 2_000 })
    trial.mtarget.enqueue(rows)
    await until(() => trial.mtarget.queued === 0)
    sigterm()
    expect(await exitCode()).toBe(0)
    expect(trial.mtarget.answers.at(-1)).toMatchObject({ rowsSent: rows.length, delivered: true })
    const seen = await trial.readAll()
    expect(seen).toHaveLength(rows.length)
    expectEachItemOnce(trial, seen)
  })

  it('an answer that stalls is given up after timeout, and the part that arrived is kept', async () => {
    await begin(({ sources }) => (sources['mtarget-fr'].pull['timeout'] = '2s'))
    const rows = data.mtargetReceipts(20)
    trial.mtarget.fault({ pieces: { bytes: 1_000, pauseMs: 3_600_000 } })
    trial.mtarget.enqueue(rows)
    await until(() => trial.mtarget.queued === 0)
    expect(await trial.connector.terminate()).toBe(0)
    const seen = await trial.readAll()
    const letters = seen.filter(({ topic }) => topic === trial.topics.deadLetter)
    expect(letters.map(({ value }) => value['reason'])).toEqual(['cut-page'])
    const receipts = seen.filter(({ topic }) => topic === trial.topics.dlr)
    expect(receipts.length).toBeGreaterThan(0)
    expect(rows.slice(0, receipts.length)).toEqual(expect.arrayContaining(receipts.map(({ value }) => value['raw'])))
  })

  it('a second SIGTERM ends the wait for an answer that never arrives', async () => {
    await begin(({ sources }) => (sources['mtarget-fr'].pull['timeout'] = '1h'))
    trial.mtarget.fault({ hang: 'before' })
    await until(() => trial.mtarget.answers.at(-1)?.outcome === 'fault')
    sigterm()
    await until(async () => (await trial.log()).some(({ msg }) => msg === 'received SIGTERM, stopping'))
    expect(trial.connector.exitCode).toBeUndefined()
    sigterm()
    expect(await exitCode()).toBe(0)
  })

  it('a callback that is being received is accepted and answered', async () => {
    await begin()
    const slow = await RawConnection.open(trial.connector.addresses.callbacksPort)
    const body = 'msg_id=slow&status=DELIVERED'
    const path = new URL(trial.callbackUrl).pathname
    slow.send(`POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 10)}`)
    // By the time this one is answered, the server has read the headers of the slow one.
    await sendReceipts(trial, data, 1)
    sigterm()
    await untilClosed()
    slow.send(body.slice(10))
    expect(await slow.readAnswer()).toMatchObject({ status: 200, headers: { connection: 'close' } })
    slow.close()
    expect(await exitCode()).toBe(0)
    expect((await trial.readAll()).map(({ key }) => key)).toContain('slow')
  })

  it('publishing continues for shutdownGrace: entries that wait for the registry are published when it returns', async () => {
    const registry = await TcpGate.startInFrontOf(stack.registryUrl)
    await registry.close()
    try {
      await begin((configuration) => {
        configuration.registry['url'] = registry.url
        configuration['shutdownGrace'] = '1h'
      })
      await sendReceipts(trial, data, 50)
      sigterm()
      await untilClosed()
      expect(await trial.metric('dlrmo_journal_entries')).toBe(50)
      await registry.open()
      expect(await exitCode()).toBe(0)
    } finally {
      await registry.close()
    }
    expect((await trial.log()).map(({ msg }) => msg)).not.toContain('entries stay in the journal for the next start')
    const seen = await trial.readAll()
    expect(seen).toHaveLength(50)
    expectEachItemOnce(trial, seen)
  })
})

describe('The log, the status page and the metrics', () => {
  it('show no credentials, phone numbers or texts, even at log level trace', async () => {
    const auth = { username: 'registry-account', password: 'registry-pass' }
    await begin((configuration) => {
      configuration['log'] = { level: 'trace' }
      configuration.registry['auth'] = auth
    })
    const rows = data.mtargetMix(20)
    const messages = data.sevenInbound(20)
    trial.mtarget.enqueue(rows)
    trial.mtarget.fault({ status: 500 })
    await trial.seven.send(
      messages.map((each) => ({ kind: 'sms_mo', data: each })),
      'form-nested',
    )
    await call(`${trial.callbackUrl}-wrong`)
    await call(trial.callbackUrl, { headers: { authorization: 'Basic c2VjcmV0LXRva2Vu' } })
    await untilPublished(trial)
    const pages = await Promise.all(
      ['/', '/status.json', '/metrics', '/readyz'].map(async (path) => (await call(trial.adminUrl + path)).body),
    )
    expect(await trial.connector.terminate()).toBe(0)
    const log = JSON.stringify(await trial.log())
    expect(log).toMatch(/"level":"debug"/)
    const all = [log, ...pages].join('\n')
    expect(credentialsIn(all)).toEqual([])
    const people = [
      ...rows.flatMap((row) => [row['DestinationAdress'], row['OriginatedAddress'], row['Content']]),
      ...messages.flatMap(({ sender, text }) => [sender, text]),
    ].filter((each): each is string => each !== undefined && each.length > 8)
    const secrets = [
      auth.password,
      auth.username,
      'c2VjcmV0LXRva2Vu',
      Buffer.from('registry-account:registry-pass').toString('base64'),
    ]
    expect([...people, ...secrets].filter((each) => all.includes(each))).toEqual([])
  })
})
