import type { SevenInboundRow, SevenOutboundRow } from './seven-journal.js'

/** A row of the outbound log, sent at a time of Berlin's clock. @param dlr null: no receipt yet */
export const outboundRow = (id: string, dlr: string | null, timestamp: string): SevenOutboundRow => ({
  id,
  to: '49176123456789',
  from: 'MYSHOP',
  text: 'Your parcel',
  timestamp,
  price: '0.075',
  dlr,
  dlr_timestamp: dlr === null ? null : `${timestamp}.102`,
  mccmnc: '26201',
  latency: '4.1',
  type: 'direct',
  channel: 'sms',
  connection: 'http',
  label: null,
  foreign_id: null,
})

export const inboundRow = (
  id: string,
  timestamp: string,
  text = 'STOP',
  { from = '49176123456789', to = '491771783130' } = {},
): SevenInboundRow => ({ id, to, from, text, timestamp, price: '0', reply_to_message_id: null })

const CLOCK = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin', dateStyle: 'short', timeStyle: 'medium' })

/** `YYYY-MM-DD HH:MM:SS` on Berlin's clocks: the log says no zone. @param time milliseconds since 1970 */
export const berlin = (time: number): string => CLOCK.format(time)
