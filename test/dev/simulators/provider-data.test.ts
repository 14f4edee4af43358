import { describe, expect, it } from 'vitest'
import { ProviderData } from '../../../dev/simulators/provider-data.js'
import { Random } from '../../../dev/simulators/random.js'
import { longText } from '../../../dev/simulators/texts.js'

describe('ProviderData', () => {
  it('generates the same data from the same seed, and other data from another seed', () => {
    expect(new ProviderData(1).mtargetTraffic(50)).toEqual(new ProviderData(1).mtargetTraffic(50))
    expect(new ProviderData(1).mtargetTraffic(50)).not.toEqual(new ProviderData(2).mtargetTraffic(50))
    expect(new ProviderData(1).mtargetTraffic(50)).toHaveLength(50)
  })

  it('generates no receipt twice', () => {
    const data = new ProviderData(4)
    const mtarget = data
      .mtargetReceipts(5_000)
      .map((row) => [row['MsgId'], row['DestinationAdress'], row['Status'], row['DeliveryDateTime']].join())
    expect(new Set(mtarget).size).toBe(5_000)
    expect(new Set(data.sevenReceipts(5_000).map(({ msg_id }) => msg_id)).size).toBe(5_000)
  })
})

describe('longText', () => {
  it('returns texts of the exact length that UTF-8 can express', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const text = longText(new Random(seed), 1_500)
      expect(text).toHaveLength(1_500)
      expect(Buffer.from(text, 'utf8').toString('utf8')).toBe(text)
    }
  })
})
