import { describe, expect, it } from 'vitest'
import { APIS, chooseVersion, offersLevel2 } from '../../../src/kafka/protocol/apis.js'

const offering = (key: number, minVersion: number, maxVersion: number) => ({ [key]: { minVersion, maxVersion } })

describe('The version of a request', () => {
  it('is the highest that client and broker have in common', () => {
    expect(chooseVersion(APIS.endTxn, offering(26, 0, 9), 2)).toBe(5)
    expect(chooseVersion(APIS.initProducerId, offering(22, 0, 3), 0)).toBe(3)
  })

  it.each([
    [APIS.produce, 12],
    [APIS.txnOffsetCommit, 5],
    [APIS.endTxn, 5],
  ])(
    'of $name is below that of feature level 2 where the level is lower, and never below it at level 2',
    (api, first) => {
      expect(chooseVersion(api, offering(api.key, 0, 99), 2)).toBe(first)
      expect(chooseVersion(api, offering(api.key, 0, 99), 1)).toBe(first - 1)
      expect(chooseVersion(api, offering(api.key, 0, 99), 0)).toBe(first - 1)
      expect(() => chooseVersion(api, offering(api.key, 0, first - 1), 2)).toThrow(`of ${api.name}`)
    },
  )

  it('is refused with the offered versions where there is none in common', () => {
    expect(() => chooseVersion(APIS.produce, offering(0, 14, 15), 0)).toThrow('offers versions 14 to 15 of Produce')
    expect(() => chooseVersion(APIS.produce, offering(0, 0, 2), 0)).toThrow('needs 3 to 11')
    expect(() => chooseVersion(APIS.produce, {}, 0)).toThrow('offers no version of Produce')
  })

  it('allows feature level 2 only if a broker offers all of its requests', () => {
    const all = { ...offering(0, 3, 13), ...offering(26, 0, 5), ...offering(28, 0, 5) }
    expect(offersLevel2(all)).toBe(true)
    expect(offersLevel2({ ...all, ...offering(28, 0, 4) })).toBe(false)
    expect(offersLevel2({})).toBe(false)
  })
})
