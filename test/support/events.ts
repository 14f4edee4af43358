/** Complete events of every kind, whose fields a test can override. */
import type { DeadLetter, DeliveryReceipt, InboundMessage } from '../../src/core/event.js'

const RECEIVED_AT = Date.UTC(2026, 0, 15, 12, 0, 0, 7)

export const receipt = (overrides: Partial<DeliveryReceipt> = {}): DeliveryReceipt => ({
  kind: 'dlr',
  eventId: '0123456789abcdef0123456789abcdef',
  source: 'mtarget-fr',
  provider: 'mtarget',
  via: 'PULL',
  receivedAt: RECEIVED_AT,
  messageId: 'ticket-1',
  recipient: '+33612345678',
  sender: null,
  status: 'DELIVERED',
  final: true,
  providerStatus: '3',
  providerStatusText: 'OK',
  errorCode: null,
  occurredAt: RECEIVED_AT - 1000,
  raw: { MsgId: 'ticket-1', Status: '3', StatusText: 'OK', DestinationAdress: '0033612345678' },
  clientReference: null,
  network: null,
  segments: null,
  price: null,
  part: null,
  ...overrides,
})

export const message = (overrides: Partial<InboundMessage> = {}): InboundMessage => ({
  kind: 'mo',
  eventId: 'fedcba9876543210fedcba9876543210',
  source: 'seven-main',
  provider: 'seven',
  via: 'CALLBACK',
  receivedAt: RECEIVED_AT,
  messageId: '681590',
  sender: '+491771783130',
  recipient: '+4917612121212',
  text: 'STOP “now” 😀\nplease',
  keyword: null,
  inReplyTo: null,
  occurredAt: null,
  raw: { 'data[id]': '681590', 'data[text]': 'STOP “now” 😀\nplease', 'data[sender]': '+491771783130' },
  part: null,
  clientReference: null,
  network: null,
  optOut: null,
  ...overrides,
})

export const deadLetter = (overrides: Partial<DeadLetter> = {}): DeadLetter => ({
  kind: 'dead-letter',
  eventId: 'journal-1-0',
  source: 'mtarget-fr',
  provider: 'mtarget',
  via: 'PULL',
  receivedAt: RECEIVED_AT,
  reason: 'not-a-page',
  detail: 'the answer is HTML; look at it',
  request: { method: 'POST', path: '/notification', query: '', 'content-type': 'text/html', status: '200' },
  body: Buffer.from('<html>'),
  ...overrides,
})
