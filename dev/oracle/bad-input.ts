/** Input that no connector can read. Each piece carries a mark of its own, by which its dead letter is recognised. */
import type { SevenCallbacks } from '../simulators/seven-callbacks.js'
import type { MtargetRow } from '../simulators/provider-data.js'

const MARK = /bad-item-\d+-\d+/

/** @param number unique among the marks of a seed */
export const badInputMark = (seed: number, number: number): string => `bad-item-${seed}-${number}`

/** The mark of the bad input that this text comes from, if there is one. */
export const findBadInputMark = (text: string): string | undefined => MARK.exec(text)?.[0]

/** Callbacks that report no event. Each function returns one that carries the mark. */
export const BAD_CALLBACKS: readonly ((mark: string) => Parameters<SevenCallbacks['sendRaw']>[0])[] = [
  (mark) => ({ body: `<html>${mark}</html>`, contentType: 'text/html' }),
  (mark) => ({ body: `{"webhook_event":"dlr","data":{"msg_id":"${mark}`, contentType: 'application/json' }),
  (mark) => ({ query: `status=DELIVERED&note=${mark}` }),
]

/** An inbound message of Mtarget without a text. */
export const badRow = (mark: string): MtargetRow => ({
  MsgId: mark,
  Status: '5',
  OriginatedAddress: '33612345678',
  DestinationAdress: '36111',
})
