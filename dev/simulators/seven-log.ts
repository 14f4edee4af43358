/** A row of seven's log of sent messages. Every value is a string, as in seven's documentation. */
export interface SevenOutboundRow {
  id: string
  to: string
  from: string
  text: string
  /** `YYYY-MM-DD HH:MM:SS`, without a time zone. */
  timestamp: string
  price: string
  /** Null until a receipt has arrived. */
  dlr: string | null
  dlr_timestamp: string | null
  mccmnc: string
  latency: string
  type: string
  channel: string
  connection: string
  label: string | null
  foreign_id: string | null
}

/** A row of seven's log of received messages. */
export interface SevenInboundRow {
  id: string
  to: string
  from: string
  text: string
  timestamp: string
  price: string
  reply_to_message_id: string | null
}

/**
 * A row of the log of sent messages.
 * @param dlr the status of the receipt; null if none has arrived
 * @param timestamp the time of sending, as `berlinTime` writes it
 */
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

/** A row of the log of received messages. @param timestamp as `berlinTime` writes it */
export const inboundRow = (
  id: string,
  timestamp: string,
  text = 'STOP',
  { from = '49176123456789', to = '491771783130' } = {},
): SevenInboundRow => ({ id, to, from, text, timestamp, price: '0', reply_to_message_id: null })

const BERLIN_FORMAT = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Europe/Berlin',
  dateStyle: 'short',
  timeStyle: 'medium',
})

/**
 * The local time in Berlin as `YYYY-MM-DD HH:MM:SS`. The logs of seven name no time zone.
 * @param time milliseconds since the epoch
 */
export const berlinTime = (time: number): string => BERLIN_FORMAT.format(time)

/**
 * The rows that a log request returns: whole days from `date_from` to `date_to` (YYYY-MM-DD, both included), the newest
 * first, and of these `limit` rows (1 to 100, default 100) from `offset` on. Reading removes nothing. Rows that arrive
 * between two requests shift the offsets, so that a client receives rows twice while it pages through the log.
 */
export function logPage<Row extends SevenInboundRow | SevenOutboundRow>(
  rows: readonly Row[],
  query: URLSearchParams,
): Row[] {
  const from = query.get('date_from') ?? '0000-00-00'
  const to = query.get('date_to') ?? '9999-99-99'
  const id = query.get('id')
  const limit = Math.min(100, Math.max(1, Number(query.get('limit') ?? '100') || 100))
  const offset = Math.max(0, Number(query.get('offset') ?? '0') || 0)
  return rows
    .filter((row) => {
      const day = row.timestamp.slice(0, 10)
      return day >= from && day <= to && (id === null || row.id === id)
    })
    .sort((one, other) => other.timestamp.localeCompare(one.timestamp))
    .slice(offset, offset + limit)
}
