/** What is generated from `schemas/*.avsc` for consumers, for people and for catalogues. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generateContracts } from '../../dev/contracts/index.js'
import { generateTypes } from '../../dev/contracts/typescript-types.js'
import type * as records from '../../schemas/index.js'
import type * as events from '../../src/core/event.js'

const ROOT = new URL('../..', import.meta.url).pathname

describe('The documents that are generated from the schemas', () => {
  it.each(generateContracts().map(([path, content]) => ({ name: relative(ROOT, path), path, content })))(
    'are up to date: $name (else run npm run contracts)',
    ({ path, content }) => {
      expect(readFileSync(path, 'utf8')).toBe(content)
    },
  )
})

describe('The exported types of the records', () => {
  it('have the fields of the events that the connector encodes', () => {
    // The compiler checks these assignments, in both directions.
    type Equal<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false
    const areEqual: [
      Equal<records.DeliveryReceipt, Omit<events.DeliveryReceipt, 'kind'>>,
      Equal<records.InboundMessage, Omit<events.InboundMessage, 'kind'>>,
      Equal<Omit<records.DeadLetter, 'part' | 'parts'>, Omit<events.DeadLetter, 'kind'>>,
    ] = [true, true, true]
    expect(areEqual).not.toContain(false)
  })

  it('are refused if two schemas have different types of one name', () => {
    const recordWith = (symbol: string): Parameters<typeof generateTypes>[0][number] => ({
      file: 'any',
      topic: 'any',
      key: 'any',
      record: {
        type: 'record',
        name: `Record${symbol}`,
        doc: 'Any.',
        fields: [
          {
            name: 'via',
            type: { type: 'enum', name: 'Via', doc: 'Any.', symbols: [symbol], default: symbol },
            doc: 'Any.',
          },
        ],
      },
    })
    expect(() => generateTypes([recordWith('PULL'), recordWith('PUSH')])).toThrow('two schemas have a type Via')
  })
})
