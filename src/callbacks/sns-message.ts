/**
 * Reads the messages that Amazon SNS posts, and says what of them is signed.
 *
 * https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
 */
import type { Field } from '../providers/wire/fields.js'
import { jsonFields } from '../providers/wire/json-fields.js'

/** The names whose values are signed, in their order. `Subject` is left out where a message has none. */
const SIGNED_NAMES = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  SubscriptionConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
  UnsubscribeConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
} as const
const OPTIONAL_NAME = 'Subject'

export type SnsMessageType = keyof typeof SIGNED_NAMES

/** The hash of each signature version. */
const HASHES = { '1': 'sha1', '2': 'sha256' } as const
export type SignatureVersion = keyof typeof HASHES

/** A message whose signature is still unproved. */
export interface SnsMessage {
  readonly type: SnsMessageType
  readonly topicArn: string
  /** When it was published, in milliseconds since the epoch. */
  readonly publishedAt: number
  readonly hash: (typeof HASHES)[SignatureVersion]
  readonly signature: Buffer
  /** What is signed. */
  readonly signed: Buffer
  readonly certificateUrl: string
  /** Where the subscription is confirmed; empty for a notification. */
  readonly subscribeUrl: string
  /** Empty for a notification. */
  readonly token: string
}

const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** @returns undefined for a body that is no complete message of SNS, such as one of raw message delivery */
export const readSnsMessage = (body: Uint8Array): SnsMessage | undefined => {
  const fields = jsonFields(Buffer.from(body).toString('utf8'))
  if (!Array.isArray(fields)) return undefined
  const values = uniqueTexts(fields)
  const text = (name: string): string => values?.get(name) ?? ''
  const type = text('Type')
  const version = text('SignatureVersion')
  if (values === undefined || !isKeyOf(SIGNED_NAMES, type) || !isKeyOf(HASHES, version)) return undefined
  const names = SIGNED_NAMES[type].filter((name) => name !== OPTIONAL_NAME || values.has(name))
  const publishedAt = TIMESTAMP.test(text('Timestamp')) ? Date.parse(text('Timestamp')) : Number.NaN
  const isComplete = names.every((name) => values.has(name)) && BASE64.test(text('Signature'))
  if (!isComplete || Number.isNaN(publishedAt)) return undefined
  return {
    type,
    topicArn: text('TopicArn'),
    publishedAt,
    hash: HASHES[version],
    signature: Buffer.from(text('Signature'), 'base64'),
    signed: Buffer.from(names.map((name) => `${name}\n${text(name)}\n`).join('')),
    certificateUrl: text('SigningCertURL'),
    subscribeUrl: text('SubscribeURL'),
    token: text('Token'),
  }
}

const isKeyOf = <T extends object>(table: T, key: string): key is Extract<keyof T, string> => Object.hasOwn(table, key)

/**
 * @returns undefined if a member occurs twice: which of its values is signed, and which is read, could differ
 */
const uniqueTexts = (fields: readonly Field[]): ReadonlyMap<string, string> | undefined => {
  const values = new Map<string, string>()
  const names = new Set<string>()
  for (const { name, type, value } of fields) {
    if (names.has(name)) return undefined
    names.add(name)
    if (type === 'string') values.set(name, value)
  }
  return values
}

/** The region in the ARN of a topic. */
export const regionOfTopic = (topicArn: string): string => topicArn.split(':')[3] ?? ''

/** Whether a certificate may be fetched from an address: over HTTPS, from this host, a file of PEM and nothing else. */
export const isCertificateUrl = (address: string, host: string): boolean => {
  const url = urlOn(address, host)
  return url !== undefined && url.search === '' && url.pathname.endsWith('.pem')
}

/** Whether an address confirms a subscription to the topic of its message, and does nothing else. */
export const isSubscribeUrl = ({ subscribeUrl, topicArn, token }: SnsMessage, host: string): boolean => {
  const url = urlOn(subscribeUrl, host)
  return (
    url?.pathname === '/' &&
    url.searchParams.get('Action') === 'ConfirmSubscription' &&
    url.searchParams.get('TopicArn') === topicArn &&
    url.searchParams.get('Token') === token
  )
}

const urlOn = (address: string, host: string): URL | undefined => {
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  const isPlain = url.username === '' && url.password === '' && url.hash === ''
  return isPlain && url.protocol === 'https:' && url.host === host ? url : undefined
}
