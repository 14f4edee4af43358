/**
 * A topic of Amazon SNS: signs messages, and serves its certificate and the confirmations of its subscriptions over HTTPS, with a
 * certificate of a private authority.
 */
import { execFile } from 'node:child_process'
import { createSign } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Identity, PrivateAuthority } from './certificates.js'

const run = promisify(execFile)

export const TOPIC_ARN = 'arn:aws:sns:eu-west-1:123456789012:sms'
const SIGNED_OF_NOTIFICATION = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
const SIGNED_OF_CONFIRMATION = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']

export type SnsFields = Readonly<Record<string, string>>

export class SnsTopic {
  /** The path and query of each request, in order. */
  readonly requests: string[] = []
  /** What is answered to requests; the path of a certificate is in front. */
  readonly certificates = new Map<string, string>()
  status = 200
  /** While it is set, requests are held back until it resolves. */
  gate: Promise<void> | undefined
  readonly authority: PrivateAuthority
  readonly #server: Server
  readonly #keys: ReadonlyMap<string, string>

  static async start(): Promise<SnsTopic> {
    const authority = await PrivateAuthority.create()
    const signing = await selfSigned(authority.folder, 'sns.amazonaws.com')
    const other = await selfSigned(authority.folder, 'other.example')
    const weak = await selfSigned(authority.folder, 'sns.amazonaws.com', 1_024)
    const topic = new SnsTopic(authority, await authority.issue('localhost', 'DNS:localhost'), {
      '/SimpleNotificationService-1.pem': signing,
      '/SimpleNotificationService-other-name.pem': other,
      '/SimpleNotificationService-weak.pem': weak,
      '/SimpleNotificationService-wrong-issuer.pem': { ...signing, cert: signing.cert + other.cert },
      '/SimpleNotificationService-text.pem': { ...signing, cert: 'no certificate' },
    })
    topic.#server.listen(0, '127.0.0.1')
    await once(topic.#server, 'listening')
    return topic
  }

  private constructor(
    authority: PrivateAuthority,
    { cert, key }: Identity,
    signers: Readonly<Record<string, Identity>>,
  ) {
    this.authority = authority
    this.#keys = new Map(Object.entries(signers).map(([path, signer]) => [path, signer.key]))
    for (const [path, signer] of Object.entries(signers)) this.certificates.set(path, signer.cert)
    this.#server = createServer({ cert, key }, (req, res) => {
      const target = req.url ?? ''
      this.requests.push(target)
      void (this.gate ?? Promise.resolve()).then(() => {
        const body = target.startsWith('/?') ? '<ConfirmSubscriptionResponse/>' : this.certificates.get(target)
        res.writeHead(body === undefined ? 404 : this.status).end(body)
      })
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** For `verification.sns.host` of a description. */
  get host(): string {
    return `localhost:${this.port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await this.authority.remove()
  }

  /**
   * Returns the members of a signed notification.
   * @param changes members that are signed in place of the usual ones; one that is empty is left out
   */
  notification(message: string, at: number, changes: SnsFields = {}): SnsFields {
    return this.#sign({
      Type: 'Notification',
      MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
      TopicArn: TOPIC_ARN,
      Subject: 'My first message',
      Message: message,
      Timestamp: new Date(at).toISOString(),
      SignatureVersion: '2',
      SigningCertURL: `https://${this.host}/SimpleNotificationService-1.pem`,
      UnsubscribeURL: `https://${this.host}/?Action=Unsubscribe`,
      ...changes,
    })
  }

  confirmation(
    type: 'SubscriptionConfirmation' | 'UnsubscribeConfirmation',
    at: number,
    changes: SnsFields = {},
  ): SnsFields {
    const token = '2336412f37fb687f5d51e6e2425f004ae'
    return this.#sign({
      Type: type,
      MessageId: '165545c9-2a5c-472c-8df2-7ff2be2b3b1b',
      Token: token,
      TopicArn: TOPIC_ARN,
      Message: 'You have chosen to subscribe to the topic.\nTo confirm the subscription, visit the SubscribeURL.',
      SubscribeURL: `https://${this.host}/?Action=ConfirmSubscription&TopicArn=${TOPIC_ARN}&Token=${token}`,
      Timestamp: new Date(at).toISOString(),
      SignatureVersion: '1',
      SigningCertURL: `https://${this.host}/SimpleNotificationService-1.pem`,
      ...changes,
    })
  }

  #sign(all: SnsFields): SnsFields {
    const fields: SnsFields = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
    const names = fields['Type'] === 'Notification' ? SIGNED_OF_NOTIFICATION : SIGNED_OF_CONFIRMATION
    const signed = names.filter((name) => name in fields).map((name) => `${name}\n${fields[name]}\n`)
    const algorithm = fields['SignatureVersion'] === '1' ? 'RSA-SHA1' : 'RSA-SHA256'
    const path = new URL(fields['SigningCertURL']!).pathname
    const key = this.#keys.get(path) ?? this.#keys.get('/SimpleNotificationService-1.pem')!
    const Signature = createSign(algorithm).update(signed.join('')).sign(key, 'base64')
    return { ...fields, Signature, ...('Signature' in all && { Signature: all['Signature'] }) }
  }
}

let made = 0

/** @param commonName what SNS's own certificates have there */
const selfSigned = async (folder: string, commonName: string, bits = 2_048): Promise<Identity> => {
  made++
  const [key, cert] = [join(folder, `signer-${made}.key`), join(folder, `signer-${made}.pem`)]
  const subject = ['-subj', `/CN=${commonName}`, '-addext', `subjectAltName=DNS:${commonName}`]
  const files = ['-keyout', key, '-out', cert]
  await run('openssl', ['req', '-x509', '-newkey', `rsa:${bits}`, '-nodes', '-days', '2', ...subject, ...files])
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
}
