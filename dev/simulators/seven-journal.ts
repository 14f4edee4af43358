/** Rows of seven's logbook; every value a string, as in its documents. */
export interface SevenOutboundRow {
  id: string
  to: string
  from: string
  text: string
  /** `YYYY-MM-DD HH:MM:SS` */
  timestamp: string
  price: string
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
 * The rows that a request sees: whole days from `date_from` to `date_to` (YYYY-MM-DD, both included), newest first,
 * `limit` (1 to 100, default 100) of them from `offset`. Reading removes nothing, and rows that arrive between two
 * requests shift the offsets: whoever pages must expect rows twice.
 */
export function journalPage<Row extends SevenInboundRow | SevenOutboundRow>(
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
