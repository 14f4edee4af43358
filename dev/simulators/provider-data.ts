import { Random } from './random.js'
import { randomText } from './texts.js'

/** A row of a Mtarget queue, with the field names of the wire. Every value is a string. */
export type MtargetRow = Record<string, string>

/** The query that seven appends to the status URL. */
export interface SevenReceipt {
  msg_id: string
  status: SevenStatus
  /** The sender's own reference, if it gave one. */
  foreign_id?: string
}

/** The field `data` of seven's webhook for `sms_mo`. */
export interface SevenInbound {
  id: string
  sender: string
  system: string
  text: string
  /** Unix seconds. */
  time: string
  message_type: 'SMS'
}

export const SEVEN_STATUSES = [
  'DELIVERED',
  'NOTDELIVERED',
  'BUFFERED',
  'TRANSMITTED',
  'ACCEPTED',
  'EXPIRED',
  'REJECTED',
  'FAILED',
  'UNKNOWN',
] as const
export type SevenStatus = (typeof SEVEN_STATUSES)[number]

const MTARGET_STATES: readonly (readonly [status: string, text: string])[] = [
  ['0', 'WAITING'],
  ['1', 'IN_PROGRESS'],
  ['2', 'SENT_TO_OPERATOR'],
  ['3', 'OK'],
  ['3', 'OK'],
  ['3', 'OK'],
  ['4', 'REFUSED_BY_OPERATOR'],
  ['6', 'ABSENT_SUBSCRIBER'],
]

/** Generates receipts and messages as the two providers send them. The same seed gives the same data. */
export class ProviderData {
  readonly #random: Random
  #count = 0

  constructor(seed = 1) {
    this.#random = new Random(seed)
  }

  /** Receipts of a Mtarget queue. One ticket may have several recipients, as in a batch. No two rows are equal. */
  mtargetReceipts(count: number): MtargetRow[] {
    const rows: MtargetRow[] = []
    let ticket = ''
    for (let index = 0; index < count; index += 1) {
      if (ticket === '' || !this.#random.chance(0.2)) ticket = this.#ticket()
      const [status, statusText] = this.#random.pick(MTARGET_STATES)
      rows.push({
        MsgId: ticket,
        Status: status,
        StatusText: statusText,
        DestinationAdress: this.#handset(),
        OriginatedAddress: this.#random.pick(['MYSHOP', '36111', 'Café Noir']),
        DeliveryDateTime: this.#time(),
        ...(status === '4' || status === '6' ? { Reason: statusText, RSN: String(this.#random.integer(1, 99)) } : {}),
      })
    }
    return rows
  }

  /** Messages of a Mtarget queue (`Status` 5). @param textField the field of the text, which Mtarget does not document */
  mtargetMessages(count: number, textField = 'Content'): MtargetRow[] {
    return Array.from({ length: count }, () => ({
      MsgId: this.#ticket(),
      Status: '5',
      StatusText: 'MO',
      DestinationAdress: '36111',
      OriginatedAddress: this.#handset(),
      DeliveryDateTime: this.#time(),
      [textField]: randomText(this.#random),
    }))
  }

  /** Messages without `Status`, as a gateway that carries Mtarget's traffic receives them. */
  mtargetMessagesWithoutStatus(count: number): MtargetRow[] {
    return Array.from({ length: count }, () => this.#messageWithoutStatus(this.#handset(), randomText(this.#random)))
  }

  /** The parts of `count` long texts, of which each has two to four parts. The parts of all texts are in random order. */
  mtargetParts(count: number): MtargetRow[] {
    const parts: MtargetRow[] = []
    for (let index = 0; index < count; index += 1) {
      const handset = this.#handset()
      const reference = this.#ticket()
      const total = this.#random.integer(2, 4)
      for (let number = 1; number <= total; number += 1) {
        const place = this.#random.integer(0, parts.length)
        parts.splice(place, 0, {
          ...this.#messageWithoutStatus(handset, randomText(this.#random)),
          'msglong.id': reference,
          'msglong.msgcount': String(total),
          'msglong.msgref': String(number),
        })
      }
    }
    return parts
  }

  /** Everything that a queue of Mtarget may hold, in random order; a fifth are messages without `Status`, and parts. */
  mtargetTraffic(count: number): MtargetRow[] {
    const others = Math.floor(count / 5)
    const rows = this.mtargetMix(count - others)
    const pool = [...this.mtargetMessagesWithoutStatus(others), ...this.mtargetParts(others)]
    while (rows.length < count) {
      const [row = {}] = pool.splice(this.#random.integer(0, pool.length - 1), 1)
      rows.splice(this.#random.integer(0, rows.length), 0, row)
    }
    return rows
  }

  /** Receipts and messages in one queue; every `every`-th row is a message. */
  mtargetMix(count: number, every = 5, textField = 'Content'): MtargetRow[] {
    return Array.from({ length: count }, (_, index) => {
      const rows = index % every === every - 1 ? this.mtargetMessages(1, textField) : this.mtargetReceipts(1)
      return rows[0] ?? {}
    })
  }

  /** Receipts of seven, each with a message id of its own. */
  sevenReceipts(count: number): SevenReceipt[] {
    return Array.from({ length: count }, () => ({
      msg_id: `77${this.#unique(9)}`,
      status: this.#random.pick(SEVEN_STATUSES),
    }))
  }

  sevenInbound(count: number): SevenInbound[] {
    return Array.from({ length: count }, () => ({
      id: this.#unique(7),
      sender: this.#random.pick([`49${this.#random.digits(10)}`, `+49${this.#random.digits(10)}`, 'SMS']),
      system: '491771783130',
      text: randomText(this.#random),
      time: String(1_780_000_000 + this.#count),
      message_type: 'SMS',
    }))
  }

  #messageWithoutStatus(handset: string, text: string): MtargetRow {
    const isStop = text === 'STOP'
    return { Msisdn: handset, Content: text, Keyword: isStop ? 'Stop' : 'Default', MsgId: this.#ticket() }
  }

  #ticket(): string {
    return `${this.#random.hex(8)}-${this.#unique(8)}`
  }

  /** Digits that this object returns only once: random ones in front of a counter. */
  #unique(digits: number): string {
    this.#count += 1
    const counter = String(this.#count).padStart(6, '0')
    return this.#random.digits(Math.max(1, digits - counter.length)) + counter
  }

  /** A French or West African phone number, in one of the notations of Mtarget's answers. */
  #handset(): string {
    const number = this.#random.chance(0.8) ? `336${this.#random.digits(8)}` : `22177${this.#random.digits(7)}`
    return this.#random.pick(['+', '00', '']) + number
  }

  #time(): string {
    const time = new Date(Date.UTC(2026, 0, 1) + this.#random.integer(0, 300 * 86_400) * 1_000)
    return time.toISOString().slice(0, 19).replace('T', ' ')
  }
}
