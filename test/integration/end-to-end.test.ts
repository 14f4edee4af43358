import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { messageEvent, receiptEvent } from '../../dev/simulators/seven-requests.js'
import { LongMessageJoiner, type InboundMessage } from '../../examples/join-parts/long-message-joiner.js'
import { expectEachItemOnce } from '../support/trial-assertions.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const data = new ProviderData(42)

let trial: Trial
beforeEach(async () => {
  trial = await startTrial(stack)
})
afterEach(() => trial.stop())

describe('Rows of Mtarget and callbacks of seven', () => {
  it('are published once each with exact fields, keys and headers, and SIGTERM ends the process with 0', async () => {
    const rows = [...data.mtargetReceipts(1600), ...data.mtargetMessages(400)]
    const receipts = data.sevenReceipts(1000)
    trial.mtarget.enqueue(rows)
    await trial.connector.start()
    const outcomes = await trial.seven.send(receipts.map((receipt) => ({ kind: 'dlr', data: receipt })))
    expect(outcomes.map(({ status }) => status)).toEqual(receipts.map(() => 200))
    await untilPublished(trial)

    const published = 'dlrmo_events_published_total'
    expect(await trial.metric(`${published}{source="mtarget-fr",kind="dlr"}`)).toBe(1600)
    expect(await trial.metric(`${published}{source="mtarget-fr",kind="mo"}`)).toBe(400)
    expect(await trial.metric(`${published}{source="seven-main",kind="dlr"}`)).toBe(1000)
    expect(await trial.connector.terminate()).toBe(0)

    const seen = await trial.readAll()
    expect(seen.map(({ topic }) => topic).sort()).toEqual(
      [...Array<string>(2600).fill(trial.topics.dlr), ...Array<string>(400).fill(trial.topics.mo)].sort(),
    )
    expectEachItemOnce(trial, seen)
    const rawOfSeven = seen.filter(({ value }) => value['provider'] === 'seven').map(({ value }) => value['raw'])
    expect(rawOfSeven.map((raw) => JSON.stringify(raw)).sort()).toEqual(
      receipts.map((receipt) => JSON.stringify(receipt)).sort(),
    )
    expect(new Set(seen.map(({ value }) => value['eventId'])).size).toBe(3000)
  })

  it('are published if they are multipart forms', async () => {
    await trial.connector.start()
    const events = [...data.sevenReceipts(50).map(receiptEvent), ...data.sevenInbound(50).map(messageEvent)]
    await trial.seven.send(events, 'multipart')
    await untilPublished(trial)
    const seen = await trial.readAll()
    expect(seen).toHaveLength(100)
    expectEachItemOnce(trial, seen)
  })

  it('are published in the order of arrival per message id', async () => {
    const states = ['ACCEPTED', 'BUFFERED', 'TRANSMITTED', 'DELIVERED'] as const
    const ids = Array.from({ length: 50 }, (_, index) => `7700${index}`)
    await trial.connector.start()
    for (const status of states) {
      await trial.seven.send(ids.map((msg_id) => ({ kind: 'dlr', data: { msg_id, status } })))
    }
    await untilPublished(trial)
    const seen = await trial.readAll()
    for (const id of ids) {
      expect(seen.filter(({ key }) => key === id).map(({ value }) => value['providerStatus'])).toEqual(states)
    }
  })

  it('are deduplicated if they are receipts with the same identity, and never if they are messages', async () => {
    const receipt = { kind: 'dlr', data: { msg_id: '4711', status: 'DELIVERED' } } as const
    const [stop] = data.mtargetMessages(1)
    trial.mtarget.enqueue([stop!, stop!, stop!])
    await trial.connector.start()
    await trial.seven.send([receipt, receipt, receipt])
    await untilPublished(trial)
    await trial.seven.send([receipt])
    await untilPublished(trial)
    const seen = await trial.readAll()
    expect(seen.filter(({ topic }) => topic === trial.topics.dlr)).toHaveLength(1)
    expect(seen.filter(({ topic }) => topic === trial.topics.mo)).toHaveLength(3)
    expect(await trial.metric('dlrmo_duplicates_suppressed_total{source="seven-main"}')).toBe(3)
    expectEachItemOnce(trial, seen)
  })
})

describe('The parts of long texts', () => {
  it('are published as they come, and the example of the documentation joins them', async () => {
    const parts = data.mtargetParts(100)
    const rows = [...data.mtargetMessagesWithoutStatus(100), ...parts]
    trial.mtarget.enqueue(rows)
    await trial.connector.start()
    await untilPublished(trial)

    const seen = await trial.readAll()
    expect(seen.map(({ topic }) => topic)).toEqual(rows.map(() => trial.topics.mo))
    expectEachItemOnce(trial, seen)

    const joiner = new LongMessageJoiner<InboundMessage>(60_000)
    const joined = seen.flatMap(({ value }) => joiner.add(value as unknown as InboundMessage, 0))
    expect(joiner.waiting()).toEqual([])
    const references = [...new Set(parts.map((row) => row['msglong.id']))]
    const texts = references.map((reference) =>
      parts
        .filter((row) => row['msglong.id'] === reference)
        .sort((one, other) => Number(one['msglong.msgref']) - Number(other['msglong.msgref']))
        .map((row) => row['Content'])
        .join(''),
    )
    const joinedTexts = joined.filter(({ messages }) => messages[0]!.part !== null).map(({ text }) => text)
    expect(joinedTexts.sort()).toEqual(texts.sort())
  })
})
