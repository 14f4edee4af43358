/** Dead letters of callbacks are replayed while the connector is killed at each step of the flow. */
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { killAtStep } from '../../dev/faults/preload.js'
import { contentKey } from '../../dev/oracle/content-key.js'
import type { TopicRecord } from '../../dev/oracle/topic-reader.js'
import { freePort } from '../../dev/ports.js'
import { readReplayMarks, replayDeadLetter } from '../../dev/replays.js'
import { callbackRequest, messageEvent, receiptEvent } from '../../dev/simulators/seven-requests.js'
import { ProviderData, type MtargetRow } from '../../dev/simulators/provider-data.js'
import { startTrial, untilPublished, type Trial, type TrialConfiguration } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { call } from '../support/call.js'

const STEPS = ['custody', 'begin', 'send', 'commit', 'release']
const SIDES = ['before', 'during', 'after']
/** A producer passes `begin` once when it is opened, before it has anything to publish. */
const FIRST_PASSAGES: Readonly<Record<string, number>> = { begin: 2 }
const BOUNDARY = 'boundary-of-a-form'
const PUSH_SOURCE = { provider: 'mtarget', callback: { token: 'push-token' } }

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
let trial: Trial
let second: Trial
let replaysTopic: string
let sources: TrialConfiguration['sources']
/** The content of each item that was handed out. */
let handedOut: string[]

beforeEach(async () => {
  replaysTopic = `replay-steps-${process.pid}-${Date.now()}`
  handedOut = []
  const unreachable = `127.0.0.1:${await freePort()}`
  trial = await startTrial(stack, (configuration) => {
    configuration.sources['mtarget-push'] = PUSH_SOURCE
    sources = configuration.sources
    configuration.kafka['brokers'] = [unreachable]
  })
  await trial.configure(({ kafka }) => {
    kafka['topics'] = { ...trial.topics, deadLetterReplays: replaysTopic }
  })
  second = await startTrial(stack, ({ sources: others }) => void (others['mtarget-push'] = PUSH_SOURCE), {
    topics: trial.topics,
  })
  await second.configure(({ kafka }) => {
    kafka['topics'] = { ...trial.topics, deadLetterReplays: replaysTopic }
  })
})
afterEach(async () => {
  await second?.stop()
  await trial?.stop()
})

const send = async (url: string, body: Buffer | string, contentType: string): Promise<void> => {
  const answer = await call(url, { method: 'POST', body, headers: { 'content-type': contentType } })
  expect(answer.status).toBe(200)
}

const multipart = (fields: MtargetRow): string => {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  return `${parts.join('')}--${BOUNDARY}--\r\n`
}

/** Sends one callback in each form of both providers. @returns how many there are */
async function sendCallbacks(data: ProviderData): Promise<number> {
  const shapes = ['form-nested', 'json', 'multipart'] as const
  for (const shape of shapes) {
    for (const event of [receiptEvent(data.sevenReceipts(1)[0]!), messageEvent(data.sevenInbound(1)[0]!)]) {
      const request = callbackRequest(event, shape, trial.callbackUrl, new Date())
      await send(trial.callbackUrl, request.body, request.headers['content-type']!)
      handedOut.push(contentKey({ ...event.data }))
    }
  }
  const url = trial.callbackUrl.replace(/seven-main.*/, 'mtarget-push/push-token')
  const rows = data.mtargetMix(7, 2)
  await send(url, new URLSearchParams(rows[0]).toString(), 'application/x-www-form-urlencoded')
  await send(url, multipart(rows[1]!), `multipart/form-data; boundary=${BOUNDARY}`)
  await send(url, JSON.stringify(rows[2]), 'application/json')
  await send(url, JSON.stringify({ results: rows.slice(3) }), 'application/json')
  handedOut.push(...rows.map((row) => contentKey(row)))
  return shapes.length * 2 + 4
}

const replay = async ({ adminUrl }: Trial, letters: readonly TopicRecord[]): Promise<void> => {
  for (const letter of letters) expect(await replayDeadLetter(adminUrl, letter)).toBe(202)
}

/** Hands letters in, until the connector has killed itself. @returns whether it has */
async function replayUntilKilled(letters: readonly TopicRecord[], step: string): Promise<boolean> {
  const [name] = step.split('-') as [string]
  const child = await trial.connector.launch({ env: killAtStep(step, FIRST_PASSAGES[name] ?? 1) })
  const isKilled = (): boolean => child.exitCode !== undefined
  for (const letter of letters) {
    // It is refused while the connector starts, and has no answer if the connector is killed.
    await until(async () => {
      if (isKilled()) return true
      return (await replayDeadLetter(trial.adminUrl, letter).catch(() => 0)) === 202
    })
  }
  await until(isKilled, 30_000)
  return child.exitCode === 137
}

describe('Dead letters of callbacks in a form, JSON and multipart', () => {
  it(
    'are published once each, although the connector is killed at each step while it replays them',
    { timeout: 600_000 },
    async () => {
      const data = new ProviderData(31)
      await trial.connector.launch()
      await until(async () => (await fetch(`${trial.adminUrl}/livez`).catch(() => undefined))?.status === 200)
      let callbacks = 0
      const steps = STEPS.flatMap((name) => SIDES.map((side) => `${name}-${side}`))
      for (let set = 0; set < steps.length; set++) callbacks += await sendCallbacks(data)
      await trial.connector.kill()

      // What is in custody becomes dead letters, because the configuration has lost its sources.
      await trial.configure((configuration) => {
        configuration.kafka['brokers'] = [...stack.brokers]
        configuration.sources = { 'mtarget-fr': sources['mtarget-fr'] } as typeof sources
      })
      await trial.connector.start()
      await untilPublished(trial)
      await trial.connector.terminate()
      const letters = await trial.readAll()
      expect(new Set(letters.map(({ value }) => value['reason']))).toEqual(new Set(['unknown-source']))
      expect(letters).toHaveLength(callbacks)

      await trial.configure((configuration) => void (configuration.sources = sources))
      const perStep = callbacks / steps.length
      for (const [index, step] of steps.entries()) {
        const some = letters.slice(index * perStep, (index + 1) * perStep)
        expect(await replayUntilKilled(some, step), `killed at ${step}`).toBe(true)
      }
      await trial.connector.start()
      await replay(trial, letters)
      await untilPublished(trial)
      await trial.connector.kill()
      await second.connector.start()
      await replay(second, letters)
      await untilPublished(second)

      const records = (await trial.readAll()).filter(({ topic }) => topic !== trial.topics.deadLetter)
      const published = records.map(({ value }) => contentKey(value['raw'] as Record<string, string>))
      expect(published.sort()).toEqual(handedOut.sort())
      const eventIds = records.map(({ value }) => value['eventId'] as string)
      const marks = await readReplayMarks(stack.brokers, replaysTopic)
      expect([...marks.items.keys()].sort()).toEqual(eventIds.sort())
      expect([...marks.closed].sort()).toEqual(letters.map(({ value }) => value['eventId'] as string).sort())
      const outcome = (name: string): Promise<number> =>
        second.metric(`dlrmo_replayed_items_total{source="seven-main",outcome="${name}"}`)
      expect(await outcome('published')).toBe(0)
      expect(await outcome('duplicate')).toBe(letters.filter(({ value }) => value['source'] === 'seven-main').length)
    },
  )
})
