import { createHash, createHmac } from 'node:crypto'
import type { SevenInbound, SevenReceipt } from './provider-data.js'

/**
 * The forms of seven's callbacks: the older status URL, the forms of the webhook that seven's own plugins handle, and the
 * multipart form that PHP's curl makes of an array.
 */
export type SevenShape = 'status-url' | 'json' | 'form-nested' | 'form-flat' | 'multipart' | 'get'

export type SevenEvent = { kind: 'dlr'; data: SevenReceipt } | { kind: 'sms_mo'; data: SevenInbound }

export const receiptEvent = (data: SevenReceipt): SevenEvent => ({ kind: 'dlr', data })
export const messageEvent = (data: SevenInbound): SevenEvent => ({ kind: 'sms_mo', data })

/** A callback request. */
export interface CallbackRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Record<string, string>
  readonly body: Buffer
}

/** The request by which seven reports an event. @param time of the `webhook_timestamp` */
export function callbackRequest(
  event: SevenEvent,
  shape: SevenShape,
  callbackUrl: string,
  time: Date,
): CallbackRequest {
  // seven writes timestamps without a time zone: "2021-08-24 08:08:00".
  const timestamp = time.toISOString().slice(0, 19).replace('T', ' ')
  const fields = Object.entries(event.data) as [string, string][]
  const nested = fields.map(([key, value]): [string, string] => [`data[${key}]`, value])
  const kind: [string, string] = ['webhook_event', event.kind]
  const sentAt: [string, string] = ['webhook_timestamp', timestamp]

  switch (shape) {
    case 'status-url':
      return getRequest(callbackUrl, fields)
    case 'get':
      return getRequest(callbackUrl, [kind, sentAt, ...nested])
    case 'form-nested':
      return formRequest(callbackUrl, [kind, sentAt, ...nested])
    case 'form-flat':
      return formRequest(callbackUrl, [kind, ...fields])
    case 'multipart':
      return multipartRequest(callbackUrl, [kind, sentAt, ...nested])
    case 'json': {
      const data = event.kind === 'dlr' ? { ...event.data, timestamp: `${timestamp}.000000` } : event.data
      const value = { webhook_event: event.kind, webhook_timestamp: timestamp, data }
      return {
        method: 'POST',
        url: new URL(callbackUrl),
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(value)),
      }
    }
  }
}

/**
 * The three headers of a signed webhook. X-Signature is
 * hex(HMAC-SHA256(key, timestamp LF nonce LF METHOD LF url LF hex(MD5(body)))).
 *
 * @param url the complete public address of the receiver
 * @param timestamp Unix seconds
 */
export function signatureHeaders(
  key: string,
  { method, body }: CallbackRequest,
  url: string,
  timestamp: number,
  nonce: string,
): Record<string, string> {
  const digest = createHash('md5').update(body).digest('hex')
  const signed = [timestamp, nonce, method, url, digest].join('\n')
  const signature = createHmac('sha256', key).update(signed).digest('hex')
  return { 'x-signature': signature, 'x-timestamp': String(timestamp), 'x-nonce': nonce }
}

function getRequest(callbackUrl: string, pairs: [string, string][]): CallbackRequest {
  const url = new URL(callbackUrl)
  for (const [key, value] of pairs) url.searchParams.append(key, value)
  return { method: 'GET', url, headers: {}, body: Buffer.alloc(0) }
}

function formRequest(callbackUrl: string, pairs: [string, string][]): CallbackRequest {
  return {
    method: 'POST',
    url: new URL(callbackUrl),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(new URLSearchParams(pairs).toString()),
  }
}

const BOUNDARY = '------------------------d74496d66958873e'

function multipartRequest(callbackUrl: string, pairs: [string, string][]): CallbackRequest {
  const parts = pairs.map(
    ([key, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`,
  )
  return {
    method: 'POST',
    url: new URL(callbackUrl),
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: Buffer.from(`${parts.join('')}--${BOUNDARY}--\r\n`),
  }
}
