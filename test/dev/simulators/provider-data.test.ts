import { expect, it } from 'vitest'
import { ProviderData } from '../../../dev/simulators/provider-data.js'
import { Random } from '../../../dev/simulators/random.js'
import { longText } from '../../../dev/simulators/texts.js'

it('makes the same data from the same seed and other data from another', () => {
  expect(new ProviderData(1).mtargetMix(50)).toEqual(new ProviderData(1).mtargetMix(50))
  expect(new ProviderData(1).mtargetMix(50)).not.toEqual(new ProviderData(2).mtargetMix(50))
})

it('makes no receipt twice', () => {
  const data = new ProviderData(4)
  const mtarget = data
    .mtargetReceipts(5_000)
    .map((row) => [row['MsgId'], row['DestinationAdress'], row['Status'], row['DeliveryDateTime']].join())
  expect(new Set(mtarget).size).toBe(5_000)
  expect(new Set(data.sevenReceipts(5_000).map(({ msg_id }) => msg_id)).size).toBe(5_000)
})

it('makes long texts of the exact length that survive UTF-8', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    const made = longText(new Random(seed), 1_500)
    expect(made).toHaveLength(1_500)
    expect(Buffer.from(made, 'utf8').toString('utf8')).toBe(made)
  }
})
