import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { messageKeyOf, replaces } from '../../examples/latest-status/latest-receipt.js'

interface Receipt {
  readonly final: boolean
  readonly occurredAt: number | null
  readonly receivedAt: number
}

const fold = (receipts: readonly Receipt[]): Receipt | undefined =>
  receipts.reduce<Receipt | undefined>((current, next) => (replaces(next, current) ? next : current), undefined)

const receiptsOf = (time: fc.Arbitrary<number>): fc.Arbitrary<Receipt[]> =>
  fc.array(fc.record({ final: fc.boolean(), occurredAt: fc.option(time), receivedAt: time }), { minLength: 1 })

/** Few values, so that equal times are met often. */
const receipts = receiptsOf(fc.integer({ min: 0, max: 5 }))

describe('The state that receipts fold into', () => {
  it('is final if any receipt is final', () => {
    fc.assert(
      fc.property(receipts, (list) => {
        expect(fold(list)?.final).toBe(list.some(({ final }) => final))
      }),
    )
  })

  it('has the same times in whatever order the receipts are read', () => {
    const shuffled = receipts.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    )
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        const timesOf = ({ final, occurredAt, receivedAt }: Receipt): unknown => [
          final,
          occurredAt ?? receivedAt,
          receivedAt,
        ]
        expect(timesOf(fold(other)!)).toEqual(timesOf(fold(list)!))
      }),
    )
  })

  it('is the same after receipts that were read before are read again', () => {
    fc.assert(
      fc.property(receipts, (list) => {
        expect(fold([...list, ...list])).toEqual(fold(list))
      }),
    )
  })

  it('is the last of several receipts with the same times', () => {
    const same = { final: false, occurredAt: 1, receivedAt: 2 }
    const [first, last] = [{ ...same }, { ...same }]
    expect(fold([first, last])).toBe(last)
  })

  it('is of one recipient if several share a message id', () => {
    const keys = ['+33612345678', '+33687654321', null].map((recipient) =>
      messageKeyOf({ source: 'main', messageId: '1', recipient }),
    )
    expect(new Set(keys).size).toBe(3)
  })
})

describe('The page that explains the rule', () => {
  it('shows the code of the example', () => {
    const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    const example = read('examples/latest-status/latest-receipt.ts')
    const code = example.slice(example.indexOf('export function replaces')).trimEnd()
    expect(read('docs/schema-evolution.md')).toContain(code)
  })
})
