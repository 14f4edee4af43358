/** Event ids of the items of both providers: unchanged for every well-formed item, and different for different items. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Event, Via } from '../../src/core/event.js'
import { decode } from '../../src/pipeline/decode.js'
import { providerNamed, received } from './support.js'
import { SETTINGS } from './provider-contract.js'

const eventsOf = (provider: string, via: Via, body: string | Uint8Array, facts = {}): Event[] => {
  const entry = { ...received(via, body, { status: '200', ...facts }), seq: 1, source: 'main', provider }
  const source = { provider: providerNamed(provider), settings: SETTINGS }
  return [...decode(entry, source, 'j1')].map(({ event }) => event)
}

const onlyId = (provider: string, via: Via, body: string | Uint8Array, facts = {}): string => {
  const [event, ...more] = eventsOf(provider, via, body, facts)
  expect(more).toEqual([])
  expect(event?.eventId).toMatch(/^[0-9a-f]{32}$/)
  return event!.eventId
}

/** Each way in which an item with an identity arrives, with a text at each place that its identity is made of. */
const PLACES: readonly (readonly [name: string, idOf: (text: string) => string])[] = [
  [
    'MsgId of Mtarget',
    (MsgId) => onlyId('mtarget', 'PULL', rows({ MsgId, Status: '3', DestinationAdress: '33612345678' })),
  ],
  [
    'DestinationAdress of Mtarget',
    (DestinationAdress) =>
      onlyId('mtarget', 'CALLBACK', JSON.stringify({ MsgId: 'm', Status: '3', DestinationAdress })),
  ],
  [
    'Status of Mtarget',
    (Status) => onlyId('mtarget', 'PULL', rows({ MsgId: 'm', Status, DestinationAdress: '33612345678' })),
  ],
  [
    'DeliveryDateTime of Mtarget',
    (DeliveryDateTime) =>
      onlyId('mtarget', 'PULL', rows({ MsgId: 'm', Status: '3', DestinationAdress: '33612345678', DeliveryDateTime })),
  ],
  ['msg_id of seven', (msg_id) => onlyId('seven', 'CALLBACK', JSON.stringify({ msg_id, status: 'DELIVERED' }))],
  [
    'data[msg_id] of seven',
    (msg_id) =>
      onlyId('seven', 'CALLBACK', JSON.stringify({ webhook_event: 'dlr', data: { msg_id, status: 'DELIVERED' } })),
  ],
  ['status of seven', (status) => onlyId('seven', 'CALLBACK', JSON.stringify({ msg_id: '1', status }))],
  [
    'id of a message of seven',
    (id) =>
      onlyId('seven', 'CALLBACK', JSON.stringify({ webhook_event: 'sms_mo', data: { id, sender: '1', text: 'x' } })),
  ],
  [
    'id of a row of seven',
    (id) => onlyId('seven', 'QUERY', JSON.stringify([{ id, dlr: 'DELIVERED' }]), { path: '/api/journal/outbound' }),
  ],
]

const rows = (...list: object[]): string => JSON.stringify({ results: list })

describe.each(PLACES)('An event id, by the %s,', (_, idOf) => {
  it('differs for ids that differ only in half a surrogate pair', () => {
    const texts = ['A\ud83d', 'A\ud83e', 'A\ude00', 'A\ufffd', 'A', 'A\\ud83d', '\ud83dA', 'A\ud83d\ude00']
    const ids = texts.map(idOf)
    expect(new Set(ids).size).toBe(texts.length)
    expect(texts.map(idOf)).toEqual(ids)
  })

  it('differs exactly if the texts differ, whatever code units they consist of', () => {
    // White space at the ends and the case of a status do not count.
    const unit = fc.constantFrom('A', '7', '\ud800', '\udbff', '\udc00', '\udfff', '\ufffd', '\u00e9', '\\', '"')
    const text = fc.array(unit, { minLength: 1, maxLength: 4 }).map((units) => `X${units.join('')}X`)
    fc.assert(
      fc.property(text, text, (one, other) => {
        // A phone number may be written in several ways, and no text here is one.
        expect(idOf(one) === idOf(other)).toBe(one.toUpperCase() === other.toUpperCase())
      }),
    )
  })
})

describe('An event id', () => {
  it('is the same as in every version before, to the byte', () => {
    const pulled = {
      MsgId: 'm-é🙂"\\',
      Status: 3,
      DestinationAdress: '0033612345678',
      DeliveryDateTime: '2026-01-01 12:00:00',
    }
    expect({
      mtarget: onlyId('mtarget', 'PULL', rows(pulled)),
      mtargetForm: onlyId('mtarget', 'CALLBACK', 'MsgId=12a7ee90&Status=3&DestinationAdress=%2B33612345678'),
      seven: onlyId('seven', 'CALLBACK', '', { query: 'msg_id=77149843739&status=delivered' }),
      sevenMessage: onlyId('seven', 'CALLBACK', 'webhook_event=sms_mo&id=681590&sender=SMS&text=x'),
      sevenRow: onlyId('seven', 'QUERY', '[{"id":77149843739,"dlr":"DELIVERED"}]', { path: '/api/journal/outbound' }),
    }).toMatchInlineSnapshot(`
      {
        "mtarget": "9e10b213e66af78ffad31b120ff2e93f",
        "mtargetForm": "9a3609a7577c25b98cad64efdf7dd916",
        "seven": "835a164c95fad3edbfa2d23a8aed717f",
        "sevenMessage": "b1afaea3ac1512350aef626da2d83c09",
        "sevenRow": "835a164c95fad3edbfa2d23a8aed717f",
      }
    `)
  })

  it.each(['iso-8859-3', 'iso-8859-7', 'windows-1253', 'windows-1257', 'koi8-r', 'utf-8'])(
    'differs for ids that differ in one byte, whatever the character set says of it: %s',
    (charset) => {
      const idOf = (byte: number): string =>
        onlyId(
          'mtarget',
          'CALLBACK',
          Buffer.from(`MsgId=A${String.fromCharCode(byte)}A&Status=3&DestinationAdress=1`, 'latin1'),
          {
            'content-type': `application/x-www-form-urlencoded; charset=${charset}`,
          },
        )
      const bytes = Array.from({ length: 128 }, (_, i) => i + 128)
      expect(new Set(bytes.map(idOf)).size).toBe(bytes.length)
    },
  )
})
