/**
 * Verifies callbacks that come by Amazon SNS, and confirms the subscriptions that they come by.
 *
 * Everybody with an account at AWS can have SNS sign messages, so that only those of the topics in `callback.topicArns` are accepted.
 * While a certificate can't be fetched, callbacks get 503, and SNS repeats them. Nothing is accepted without a proof.
 *
 * A message has no nonce here: SNS repeats one, with the same signature, until it reads a 2xx, so that the second arrival has to be
 * answered with 2xx as well. The ids in the items make it a duplicate.
 */
import { type KeyObject, verify } from 'node:crypto'
import type { CallbackConfig } from '../config/types.js'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { CallbackRefusalReason } from '../core/observers.js'
import { type SignatureRejection, type SignatureResult, staleness } from './signature.js'
import type { HttpHeaders, SignedRequest } from './signed-request.js'
import { SnsUnavailable, type SnsClient } from './sns-client.js'
import { isCertificateUrl, isSubscribeUrl, readSnsMessage, regionOfTopic, type SnsMessage } from './sns-message.js'

/** `sources.<source>.callback` of a source with topics. */
export type SnsConfig = CallbackConfig & { readonly topicArns: readonly string[] }

export interface SnsVerifierDeps {
  readonly client: SnsClient
  readonly log: Log
}

/** Why a callback can't be verified, or its subscription can't be confirmed, now. It gets 503. */
export type SnsOutageReason = Extract<CallbackRefusalReason, 'certificate-unavailable' | 'subscription-unconfirmed'>

export type SnsResult = SignatureResult | { readonly isValid: 'unknown'; readonly reason: SnsOutageReason }

/** SNS sends it with every message. */
const TYPE_HEADER = 'x-amz-sns-message-type'

/**
 * What the certificates of SNS are for: in most regions the first; in those that an account has to enable the second; in GovCloud the
 * third. AWS's SDK for Java has the list (SnsHostProvider of its package sns-message-manager).
 */
const certificateNames = (region: string): readonly string[] => [
  'sns.amazonaws.com',
  `sns-signing.${region}.amazonaws.com`,
  ...(region.startsWith('us-gov-') ? ['sns-us-gov-west-1.amazonaws.com'] : []),
]

export class SnsVerifier {
  readonly #source: string
  readonly #topicArns: ReadonlySet<string>
  readonly #maxAgeMs: number
  readonly #hostTemplate: string
  readonly #deps: SnsVerifierDeps

  /** @throws Error: the provider's callbacks do not come by SNS, which the configuration has excluded */
  constructor(source: string, { signature, topicArns, signatureMaxAge }: SnsConfig, deps: SnsVerifierDeps | undefined) {
    if (signature?.sns === undefined || deps === undefined)
      throw new Error(`the callbacks of source ${source} do not come by Amazon SNS`)
    this.#source = source
    this.#topicArns = new Set(topicArns)
    this.#maxAgeMs = signatureMaxAge
    this.#hostTemplate = signature.sns.host
    this.#deps = deps
  }

  /** Checks that the headers are those of SNS, which takes no body. @returns null if the body decides */
  rejectionReason(headers: HttpHeaders): SignatureRejection | null {
    return headers[TYPE_HEADER] === undefined ? 'signature-missing' : null
  }

  /**
   * @param now milliseconds since the epoch
   */
  async verify({ body }: SignedRequest, now: number): Promise<SnsResult> {
    const message = readSnsMessage(body)
    if (message === undefined) return { isValid: false, reason: 'signature-missing' }
    if (!this.#topicArns.has(message.topicArn)) return { isValid: false, reason: 'topic' }
    const reason = staleness({ signedAt: message.publishedAt }, now, this.#maxAgeMs)
    if (reason !== null) return { isValid: false, reason }
    const region = regionOfTopic(message.topicArn)
    const host = this.#hostTemplate.replaceAll('{region}', region)
    if (!isCertificateUrl(message.certificateUrl, host)) return { isValid: false, reason: 'signature-wrong' }
    try {
      const key = await this.#deps.client.publicKey(message.certificateUrl, certificateNames(region))
      if (!isSignedWith(message, key)) return { isValid: false, reason: 'signature-wrong' }
    } catch (error) {
      return unavailable(error, 'certificate-unavailable')
    }
    return this.#handleSubscription(message, host)
  }

  /** @param message whose signature holds */
  async #handleSubscription(message: SnsMessage, host: string): Promise<SnsResult> {
    const { client, log } = this.#deps
    const source = this.#source
    const { type, topicArn, subscribeUrl } = message
    if (type === 'UnsubscribeConfirmation') {
      log.warn(
        { event: 'subscription-ended', source, topicArn },
        'Amazon SNS reports that the subscription of this source was ended, so no more callbacks come by it; subscribe again if that was not intended',
      )
    }
    if (type !== 'SubscriptionConfirmation') return { isValid: true }
    if (!isSubscribeUrl(message, host)) return { isValid: false, reason: 'signature-wrong' }
    try {
      await client.confirm(subscribeUrl)
      log.info({ event: 'subscription-confirmed', source, topicArn }, 'the subscription of Amazon SNS was confirmed')
      return { isValid: true }
    } catch (error) {
      log.warn(
        { event: 'subscription-unconfirmed', source, topicArn, error: messageOf(error) },
        'the subscription of Amazon SNS could not be confirmed; the request got 503, and it is tried again when SNS repeats it; if that does not happen, request the confirmation again',
      )
      return unavailable(error, 'subscription-unconfirmed')
    }
  }
}

const isSignedWith = ({ hash, signed, signature }: SnsMessage, key: KeyObject): boolean =>
  verify(hash, signed, key, signature)

/** @throws the error if it is none that SNS or the network is the cause of */
const unavailable = (error: unknown, reason: SnsOutageReason): SnsResult => {
  if (!(error instanceof SnsUnavailable)) throw error
  return { isValid: 'unknown', reason }
}
