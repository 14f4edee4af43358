/** Dead letters are replayed, after the configuration that caused them was corrected. */
import { setTimeout as delay } from 'node:timers/promises'
import { TopicReader, type TopicRecord } from '../../oracle/topic-reader.js'
import { freePort } from '../../ports.js'
import { readReplayMarks, replayDeadLetter } from '../../replays.js'
import { ProviderData } from '../../simulators/provider-data.js'
import { messageEvent, receiptEvent, type SevenShape } from '../../simulators/seven-requests.js'
import type { BrokerHandle } from '../../stack/index.js'
import { startTrial, untilPublished, type Trial } from '../../trial.js'
import { until } from '../../wait.js'
import type { Scenario, ScenarioRun } from '../scenario.js'
import { disturbBroker } from './broker.js'

const SHAPES: readonly SevenShape[] = ['json', 'form-nested', 'form-flat', 'multipart', 'get']
const ITEMS_PER_SHAPE = 20
const PULLED_MESSAGES = 200
const MAX_PAUSE_BETWEEN_REPLAYS_MS = 20
const SETTLE_TIMEOUT_MS = 120_000

export const replay: Scenario = {
  name: 'replay',
  description: 'dead letters are replayed repeatedly and at two connectors, while both and the broker are killed',
  needs: 'own stack',
  prepare: ({ stack }) => ({
    async injectFaults(run) {
      const replaysTopic = `${run.trial.name}.dead-letter-replays`
      const topics = { ...run.trial.topics, deadLetterReplays: replaysTopic }
      await run.trial.configure(({ kafka }) => void (kafka['topics'] = topics))
      const letters = await causeDeadLetters(run)
      for (const { value } of letters) run.replayedDeadLetters.add(value['eventId'] as string)

      const second = await startTrial(stack, undefined, { topics: run.trial.topics })
      try {
        await second.configure(({ kafka }) => {
          kafka['topics'] = topics
          kafka['requestTimeout'] = '1s'
        })
        await replayUnderFaults(run, second, letters, stack.broker!)
      } finally {
        await second.stop()
      }
      await checkMarks(run, letters, replaysTopic)
    },
  }),
}

/**
 * Callbacks are in custody when the configuration loses their source, and pulled messages have their text in a field that
 * it does not name. Afterwards the configuration is right.
 */
async function causeDeadLetters(run: ScenarioRun): Promise<TopicRecord[]> {
  const { trial, random } = run
  const data = new ProviderData(random.integer(1, 1_000_000))
  let brokers: unknown
  let seven: unknown
  const unreachable = `127.0.0.1:${await freePort()}`
  await trial.configure(({ kafka }) => {
    brokers = kafka['brokers']
    kafka['brokers'] = [unreachable]
  })
  await run.launch()
  await until(async () => (await fetch(`${trial.adminUrl}/livez`).catch(() => undefined))?.status === 200)
  for (const shape of SHAPES) {
    await trial.seven.send(data.sevenReceipts(ITEMS_PER_SHAPE).map(receiptEvent), shape)
    // Dead letters are replayed in any order, so that each message has a sender, and with it a key, of its own.
    const messages = data
      .sevenInbound(ITEMS_PER_SHAPE)
      .map((message) => ({ ...message, sender: `4915${message.id}00` }))
    await trial.seven.send(messages.map(messageEvent), shape)
  }
  await run.kill()

  await trial.configure(({ kafka, sources }) => {
    kafka['brokers'] = brokers
    seven = sources['seven-main']
    delete (sources as Record<string, unknown>)['seven-main']
    ;(sources['mtarget-fr'] as Record<string, unknown>)['textFields'] = ['Wording']
  })
  trial.mtarget.enqueue(data.mtargetMessages(PULLED_MESSAGES))
  await run.start()
  await untilPublished(trial)
  await run.terminate()
  await trial.configure(({ sources }) => {
    ;(sources as Record<string, unknown>)['seven-main'] = seven
    delete (sources['mtarget-fr'] as Record<string, unknown>)['textFields']
  })
  const records = await new TopicReader({ ...trial.stack, topics: trial.topics }).readAll()
  const letters = records.filter(({ topic }) => topic === trial.topics.deadLetter)
  const expected = SHAPES.length * ITEMS_PER_SHAPE * 2 + PULLED_MESSAGES
  if (records.length !== expected || letters.length !== expected) {
    run.problems.push(`${letters.length} of ${records.length} records are dead letters, not ${expected} of ${expected}`)
  }
  return letters
}

/** Two connectors must not replay one dead letter at the same moment, so that each has one half and then the other one. */
async function replayUnderFaults(
  run: ScenarioRun,
  second: Trial,
  letters: readonly TopicRecord[],
  handle: BrokerHandle,
): Promise<void> {
  const { trial } = run
  const middle = letters.length / 2
  const halves = [letters.slice(0, middle), letters.slice(middle)] as const
  await run.start()
  await second.connector.start()
  run.load.start()
  for (const [own, others] of [halves, [halves[1], halves[0]] as const]) {
    const over = new AbortController()
    const replays = [replayRepeatedly(run, trial, own, over.signal), replayRepeatedly(run, second, others, over.signal)]
    try {
      for (let fault = 0; fault < run.scaled(16); fault++) await injectFault(run, second, handle)
    } finally {
      over.abort()
      await Promise.all(replays)
    }
    await Promise.all([replayAll(trial, own), replayAll(second, others)])
    await run.drain()
    await untilPublished(second, SETTLE_TIMEOUT_MS)
    run.load.resume()
  }
  const code = await second.connector.terminate()
  if (code !== 0) run.problems.push(`The second connector ended with code ${code}`)
}

/** The connector may be away; then the dead letter is replayed again later. */
async function replayRepeatedly(
  run: ScenarioRun,
  { adminUrl }: Trial,
  letters: readonly TopicRecord[],
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    const letter = run.random.pick(letters)
    const times = run.random.integer(1, 2)
    for (let time = 0; time < times; time++) {
      const status = await replayDeadLetter(adminUrl, letter).catch(() => undefined)
      if (status === 202) run.countFault('replay')
    }
    await delay(run.random.integer(0, MAX_PAUSE_BETWEEN_REPLAYS_MS))
  }
}

async function replayAll({ adminUrl }: Trial, letters: readonly TopicRecord[]): Promise<void> {
  for (const letter of letters) {
    await until(async () => (await replayDeadLetter(adminUrl, letter).catch(() => undefined)) === 202)
  }
}

async function injectFault(run: ScenarioRun, second: Trial, handle: BrokerHandle): Promise<void> {
  await run.pause(100, 1_500)
  const fault = run.random.pick(['connector', 'connector', 'second connector', 'broker'] as const)
  if (fault === 'connector') {
    await run.killAndRestart()
  } else if (fault === 'second connector') {
    await second.connector.kill()
    run.countFault('kill -9')
    await second.connector.start()
  } else {
    // The connector is killed in the middle of what the broker does.
    const killing = run.random.chance(0.5) ? run.pause(0, 2_000).then(() => run.kill()) : Promise.resolve()
    await Promise.all([disturbBroker(run, handle), killing])
    if (!run.isUp) await run.start()
  }
}

/** Each dead letter has one item, so that it has one mark of an item and one that closes it. */
async function checkMarks(run: ScenarioRun, letters: readonly TopicRecord[], topic: string): Promise<void> {
  const { closed, items } = await readReplayMarks(run.trial.stack.brokers, topic)
  const marked = new Set(items.values())
  for (const { value } of letters) {
    const eventId = value['eventId'] as string
    if (!marked.has(eventId)) run.problems.push(`The dead letter ${eventId} has no mark of its item`)
    if (!closed.has(eventId)) run.problems.push(`The dead letter ${eventId} has no mark that closes it`)
  }
  if (items.size !== letters.length || closed.size !== letters.length) {
    run.problems.push(`${items.size} items and ${closed.size} dead letters are marked, not ${letters.length}`)
  }
}
