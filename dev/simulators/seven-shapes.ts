import { createHash, createHmac } from 'node:crypto'
import type { SevenInbound, SevenReceipt } from './data.js'

/** How seven tells: the status URL of old, or one of the webhook's shapes that its own plugins show. */
export type SevenShape = 'status-url' | 'json' | 'form-nested' | 'form-flat' | 'get'

export type SevenEvent = { kind: 'dlr'; data: SevenReceipt } | { kind: 'sms_mo'; data: SevenInbound }

/** A request to be made. */
export interface Call {
  method: 'GET' | 'POST'
  url: URL
  headers: Record<string, string>
  body: Buffer
  event?: SevenEvent
  shape?: SevenShape
}

/** @param target the callback URL; it is changed for GETs */
export function callFor(event: SevenEvent, shape: SevenShape, target: URL, time: Date): Call {
  // Their stamps carry no zone: "2021-08-24 08:08:00".
  const stamp = time.toISOString().slice(0, 19).replace('T', ' ')
  const fields = Object.entries(event.data) as [string, string][]
  const nested = fields.map(([key, value]): [string, string] => [`data[${key}]`, value])
  const kind: [string, string] = ['webhook_event', event.kind]
  const sent: [string, string] = ['webhook_timestamp', stamp]

  switch (shape) {
    case 'status-url':
      return { ...get(target, fields), event, shape }
    case 'get':
      return { ...get(target, [kind, sent, ...nested]), event, shape }
    case 'form-nested':
      return { ...form(target, [kind, sent, ...nested]), event, shape }
    case 'form-flat':
      return { ...form(target, [kind, ...fields]), event, shape }
    case 'json': {
      const data = event.kind === 'dlr' ? { ...event.data, timestamp: `${stamp}.000000` } : event.data
      const value = { webhook_event: event.kind, webhook_timestamp: stamp, data }
      const headers = { 'content-type': 'application/json' }
      return { method: 'POST', url: target, headers, body: Buffer.from(JSON.stringify(value)), event, shape }
    }
  }
}

/**
 * The three headers of a signed webhook: X-Signature is
 * hex(HMAC-SHA256(key, timestamp LF nonce LF METHOD LF url LF hex(MD5(body)))).
 *
 * @param url complete, as the receiver is known to the public
 * @param timestamp Unix seconds
 */
export function signatureHeaders(
  key: string,
  call: Call,
  url: string,
  timestamp: number,
  nonce: string,
): Record<string, string> {
  const digest = createHash('md5').update(call.body).digest('hex')
  const signed = [timestamp, nonce, call.method, url, digest].join('\n')
  const signature = createHmac('sha256', key).update(signed).digest('hex')
  return { 'x-signature': signature, 'x-timestamp': String(timestamp), 'x-nonce': nonce }
}

function get(url: URL, pairs: [string, string][]): Call {
  for (const [key, value] of pairs) url.searchParams.append(key, value)
  return { method: 'GET', url, headers: {}, body: Buffer.alloc(0) }
}

function form(url: URL, pairs: [string, string][]): Call {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', url, headers, body: Buffer.from(new URLSearchParams(pairs).toString()) }
}
