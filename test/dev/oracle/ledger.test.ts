import { expect, it } from 'vitest'
import { contentKey, Ledger } from '../../../dev/demo/ledger.js'

const total = (ledger: Ledger) => ledger.rows().at(-1)

it('finds nothing wrong when everything came out once', () => {
  const ledger = new Ledger()
  ledger.handedOut('a', 'receipts', '1', true)
  ledger.handedOut('a', 'bad input', '2', true)
  ledger.published('a', 'receipts', '1')
  ledger.deadLettered('a', '2')
  expect(total(ledger)).toMatchObject({ handedOut: 2, owed: 2, published: 1, deadLettered: 1, lost: 0, doubled: 0 })
  expect(ledger.strange).toEqual([])
})

it('counts as lost what was acknowledged and did not come out where it belongs', () => {
  const ledger = new Ledger()
  ledger.handedOut('a', 'receipts', 'vanished', true)
  ledger.handedOut('a', 'messages', 'in the dead-letter topic', true)
  ledger.handedOut('a', 'receipts', 'never acknowledged', false)
  ledger.deadLettered('a', 'in the dead-letter topic')
  expect(total(ledger)).toMatchObject({ lost: 2, doubled: 0 })
})

it('counts as doubled what came out more often than it was handed out, acknowledged or not', () => {
  const ledger = new Ledger()
  ledger.handedOut('a', 'messages', 'STOP', true)
  ledger.handedOut('a', 'messages', 'STOP', false)
  for (let times = 0; times < 2; times += 1) ledger.published('a', 'messages', 'STOP')
  expect(total(ledger)).toMatchObject({ lost: 0, doubled: 0 })
  ledger.published('a', 'messages', 'STOP')
  expect(total(ledger)).toMatchObject({ lost: 0, doubled: 1 })
})

it('names what nobody handed out, and what is on the wrong topic', () => {
  const ledger = new Ledger()
  ledger.handedOut('a', 'receipts', '1', true)
  ledger.published('a', 'messages', '1')
  ledger.published('b', 'receipts', '1')
  ledger.deadLettered('a', '?')
  expect(ledger.strange).toHaveLength(3)
  expect(total(ledger)).toMatchObject({ lost: 1 })
})

it('knows an item in every shape of its provider', () => {
  const key = contentKey({ msg_id: '1', status: 'DELIVERED' })
  const nested = { webhook_event: 'dlr', 'data[status]': 'DELIVERED', 'data[msg_id]': '1', 'data[timestamp]': 'now' }
  expect(contentKey(nested)).toBe(key)
  expect(contentKey({ msg_id: '1', status: 'FAILED' })).not.toBe(key)
})
