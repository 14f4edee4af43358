/**
 * Mtarget's push, its default mode: a form POST (second-hand); JSON and GET are taken as well, since nothing is
 * published that rules them out. The record is that of the pull.
 */
import type { DecodeSettings, Item } from '../provider.js'
import type { Received } from '../../core/received.js'
import { latin1 } from '../wire/charset.js'
import { combine } from '../wire/combine.js'
import { dead } from '../wire/dead.js'
import { formFields } from '../wire/form-fields.js'
import { OPEN_ARRAY, OPEN_OBJECT } from '../wire/json-items.js'
import { firstByte, open, trimmed } from '../wire/open.js'
import { findResults, readPushed } from './pages.js'
import { isDecisive, isReport, readRow } from './rows.js'

export const decodePush = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const opened = open(received)
  if ('kind' in opened) return [opened]
  const query = formFields(received.facts.query)
  const first = opened.bytes[firstByte(opened.bytes)]
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
    return readPushed(findResults(opened.bytes), opened, received, settings, query)
  }
  const own = formFields(latin1(trimmed(opened.bytes)), opened.read)
  const { fields, also, conflict } = combine(own, query, isDecisive)
  const { body } = received
  if (conflict !== undefined) {
    return [dead('conflicting-fields', `${conflict} differs between query and body; which counts?`, body)]
  }
  if (!isReport(fields)) {
    return [dead('not-a-report', 'neither the query nor the body has a field of a receipt or message', body)]
  }
  return [readRow({ fields, also, body }, settings)]
}
