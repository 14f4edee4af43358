/** Dead letters that are handed in again at connectors with a real broker: each item is published once. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { TopicRecord } from '../../dev/oracle/topic-reader.js'
import { replayDeadLetter } from '../../dev/replays.js'
import { startTrial, type Trial, untilPublished } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const TEXT = 'a text in a field that no one had named'

let trial: Trial
let second: Trial

beforeAll(async () => {
  const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
  const replays = `replays-${process.pid}-${Date.now()}`
  const useReplaysTopic = (configuration: { kafka: Record<string, unknown> }, topics: object): void => {
    configuration.kafka['topics'] = { ...topics, deadLetterReplays: replays }
  }
  trial = await startTrial(stack)
  await trial.configure((configuration) => useReplaysTopic(configuration, trial.topics))
  second = await startTrial(stack, undefined, { topics: trial.topics })
  await second.configure((configuration) => useReplaysTopic(configuration, trial.topics))
})
afterAll(async () => {
  await second?.stop()
  await trial?.stop()
})

const handIn = ({ adminUrl }: Trial, letter: TopicRecord): Promise<number> => replayDeadLetter(adminUrl, letter)

describe('A dead letter of a source that is only pulled', () => {
  it('is published once, although it is replayed several times, under kill -9, and by two connectors', async () => {
    await trial.connector.start()
    const reader = await trial.follow()
    trial.mtarget.enqueue([{ Status: '5', Msisdn: '33612345678', Wording: TEXT }] as never)
    await until(() => reader.records.length === 1)
    const [letter] = reader.records
    expect(letter!.value['reason']).toBe('missing-text')

    // Before the correction it stays where it is.
    expect(await handIn(trial, letter!)).toBe(202)
    await untilPublished(trial)
    expect(reader.records).toHaveLength(1)

    const nameTextField = ({ sources }: { sources: Record<string, Record<string, unknown>> }): void => {
      sources['mtarget-fr']!['textFields'] = ['Wording']
    }
    await trial.connector.terminate()
    await trial.configure(nameTextField)
    await trial.connector.start()
    for (let round = 0; round < 3; round++) expect(await handIn(trial, letter!)).toBe(202)
    await trial.connector.kill()
    await trial.connector.start()
    expect(await handIn(trial, letter!)).toBe(202)
    await until(() => reader.records.length >= 2)
    await untilPublished(trial)

    await second.configure(nameTextField)
    await second.connector.start()
    expect(await handIn(second, letter!)).toBe(202)
    await untilPublished(second)
    const records = await trial.readAll()
    expect(records).toHaveLength(2)
    const message = records.find(({ topic }) => topic === trial.topics.mo)
    expect(message?.value).toMatchObject({ eventId: letter!.value['eventId'], text: TEXT, via: 'PULL' })
    // The address of the queue has a query, which is not part of the row.
    expect(message?.value['raw']).toEqual({ Status: '5', Msisdn: '33612345678', Wording: TEXT })
    expect(await second.metric('dlrmo_replays_handed_in_total{source="mtarget-fr"}')).toBe(1)
    const { sources } = await second.status()
    expect(sources.find(({ source }) => source === 'mtarget-fr')?.replays).toMatchObject({
      handedIn: 1,
      lastHandedInAt: expect.any(String) as string,
      items: { published: 0, duplicate: 1, unreadable: 0 },
      lastItemAt: expect.any(String) as string,
    })
    expect(await second.metric('dlrmo_replayed_items_total{source="mtarget-fr",outcome="duplicate"}')).toBe(1)
  })
})
