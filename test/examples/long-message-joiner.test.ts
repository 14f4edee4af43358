import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LongMessageJoiner, type InboundMessage } from '../../examples/join-parts/long-message-joiner.js'

const part = (number: number, total = 3, more: Partial<InboundMessage> = {}): InboundMessage => ({
  eventId: `event-${number}`,
  source: 'mtarget-fr',
  sender: '+33612345678',
  recipient: '36111',
  text: `text ${number}. `,
  part: { reference: '17', number, total },
  ...more,
})

const textsOf = (joiner: LongMessageJoiner<InboundMessage>, messages: readonly InboundMessage[]): string[] =>
  messages.flatMap((message) => joiner.add(message, 0)).map(({ text }) => text)

describe('LongMessageJoiner', () => {
  it('joins the parts of each text, whatever their order and however the texts are mixed', () => {
    const text = fc.record({
      sender: fc.constantFrom('+33612345678', '+33687654321'),
      parts: fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 5 }),
    })
    const texts = fc.array(text, { minLength: 1, maxLength: 5 })
    const mixed = texts.chain((list) => {
      const messages = list.flatMap(({ sender, parts }, index) =>
        parts.map((each, place) =>
          part(place + 1, parts.length, {
            sender,
            text: each,
            part: { reference: String(index), number: place + 1, total: parts.length },
          }),
        ),
      )
      return fc.tuple(fc.constant(list), fc.shuffledSubarray(messages, { minLength: messages.length }))
    })
    fc.assert(
      fc.property(mixed, ([list, messages]) => {
        const joiner = new LongMessageJoiner<InboundMessage>(1000)
        expect(textsOf(joiner, messages).sort()).toEqual(list.map(({ parts }) => parts.join('')).sort())
        expect(joiner.waiting()).toEqual([])
      }),
    )
  })

  it('returns a message that is no part at once', () => {
    const joiner = new LongMessageJoiner<InboundMessage>(1000)
    const message = part(1, 3, { part: null })
    expect(joiner.add(message, 0)).toEqual([{ text: 'text 1. ', isComplete: true, messages: [message] }])
  })

  it('ignores a part that arrives again', () => {
    const joiner = new LongMessageJoiner<InboundMessage>(1000)
    expect(textsOf(joiner, [part(2, 2), part(2, 2), part(1, 2)])).toEqual(['text 1. text 2. '])
  })

  it('ignores a part that arrives again after its text was complete', () => {
    const joiner = new LongMessageJoiner<InboundMessage>(1000)
    expect(textsOf(joiner, [part(2, 2), part(1, 2)])).toEqual(['text 1. text 2. '])
    expect(joiner.add(part(1, 2), 900)).toEqual([])
    expect(joiner.expire(1900)).toEqual([])
    expect(joiner.waiting()).toEqual([])
    expect(joiner.add(part(1, 2), 2000)).toEqual([])
    expect(joiner.expire(3000)).toMatchObject([{ text: 'text 1. ', isComplete: false }])
  })

  it('returns a second text with the same reference whose first part is that of the text before', () => {
    const joiner = new LongMessageJoiner<InboundMessage>(1000)
    const second = [part(1, 2), part(2, 2, { text: 'other 2. ' })]
    expect(textsOf(joiner, [part(1, 2), part(2, 2), ...second])).toEqual(['text 1. text 2. ', 'text 1. other 2. '])
  })

  it('returns what it has of a text when its reference is used for another one', () => {
    const joiner = new LongMessageJoiner<InboundMessage>(1000)
    const others = [part(1, 2, { text: 'new 1. ' }), part(2, 2, { text: 'new 2. ' })]
    const joined = [part(1, 2), ...others].flatMap((message) => joiner.add(message, 0))
    expect(joined).toMatchObject([
      { text: 'text 1. ', isComplete: false },
      { text: 'new 1. new 2. ', isComplete: true },
    ])
  })

  it.each([
    ['source', { source: 'mtarget-be' }],
    ['sender', { sender: '+33687654321' }],
    ['recipient', { recipient: null }],
    ['number of parts', { part: { reference: '17', number: 2, total: 3 } }],
    ['reference', { part: { reference: '18', number: 2, total: 2 } }],
  ])('does not join parts with another %s', (_, more) => {
    const joiner = new LongMessageJoiner<InboundMessage>(1000)
    expect(textsOf(joiner, [part(1, 2), part(2, 2, more)])).toEqual([])
    expect(joiner.waiting()).toHaveLength(2)
  })

  it('returns what it has of a text whose other parts do not arrive in time', () => {
    const joiner = new LongMessageJoiner<InboundMessage>(1000)
    joiner.add(part(3), 0)
    joiner.add(part(1), 900)
    joiner.add(part(2, 2), 950)
    expect(joiner.expire(999)).toEqual([])
    expect(joiner.expire(1000)).toEqual([{ text: 'text 1. text 3. ', isComplete: false, messages: [part(1), part(3)] }])
    expect(joiner.waiting()).toEqual([part(2, 2)])
    expect(joiner.expire(1950)).toHaveLength(1)
    expect(joiner.waiting()).toEqual([])
  })
})

it('docs/long-messages.md names every method of LongMessageJoiner', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/long-messages.md'), 'utf8')
  const methods = Object.getOwnPropertyNames(LongMessageJoiner.prototype).filter((name) => name !== 'constructor')
  expect(methods.filter((name) => !document.includes(`joiner.${name}(`))).toEqual([])
})
