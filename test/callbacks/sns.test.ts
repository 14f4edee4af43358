/**
 * Callbacks by Amazon SNS, against a real HTTPS server that has the certificates and confirms subscriptions. What is valid is decided
 * by AWS's own validator for JavaScript as well.
 */
import { globalAgent } from 'node:https'
import fc from 'fast-check'
import MessageValidator from 'sns-validator'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { request } from 'undici'
import type { CallbackConfig } from '../../src/config/types.js'
import { DAY_MS } from '../../src/core/clock.js'
import { closeNow, startCallbackServer, type TestedCallbackServer } from '../support/callback-server.js'
import { ManualClock } from '../support/manual-clock.js'
import { type SnsFields, SnsTopic, TOPIC_ARN } from '../support/sns-topic.js'

const MAX_AGE_MS = 3_600_000

let topic: SnsTopic
const running: TestedCallbackServer[] = []

beforeAll(async () => {
  topic = await SnsTopic.start()
  globalAgent.options.ca = topic.authority.ca
})
afterAll(async () => {
  delete globalAgent.options.ca
  globalAgent.destroy()
  await topic.stop()
})
afterEach(async () => {
  for (const tested of running.splice(0)) await closeNow(tested)
  topic.requests.length = 0
  topic.status = 200
  topic.gate = undefined
})

const start = async (): Promise<TestedCallbackServer> => {
  const callback = {
    open: false,
    topicArns: [TOPIC_ARN],
    signature: { sns: { host: topic.host } },
    signatureMaxAge: MAX_AGE_MS,
  } as unknown as CallbackConfig
  const tested = await startCallbackServer(
    [{ name: 'aws', provider: 'aws-sns', callback }],
    { sns: { tls: { ca: topic.authority.ca } } },
    undefined,
    new ManualClock(Date.now()),
  )
  running.push(tested)
  return tested
}

const post = async ({ origin }: TestedCallbackServer, body: SnsFields | string): Promise<number> => {
  const headers = { 'content-type': 'text/plain; charset=UTF-8', 'x-amz-sns-message-type': 'Notification' }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await request(`${origin}/callbacks/aws`, { method: 'POST', headers, body: text })
  await answer.body.dump()
  return answer.statusCode
}

const isValidByAws = (message: SnsFields): Promise<boolean> =>
  new Promise((resolve) => {
    new MessageValidator(/^localhost:\d+$/).validate({ ...message }, (error) => resolve(error === null))
  })

describe('A callback by Amazon SNS', () => {
  it.each(['1', '2'])('with a signature of version %s is in custody when it gets 200', async (SignatureVersion) => {
    const tested = await start()
    const message = topic.notification('{"eventType":"TEXT_DELIVERED"}', tested.clock.now(), { SignatureVersion })
    expect(await post(tested, message)).toBe(200)
    expect(tested.journal.entries).toHaveLength(1)
    expect(Buffer.from(tested.journal.entries[0]!.body).toString()).toBe(JSON.stringify(message))
    expect(await isValidByAws(message)).toBe(true)
  })

  it('is accepted without a subject, and again when SNS repeats it', async () => {
    const tested = await start()
    const message = topic.notification('text', tested.clock.now(), { Subject: '' })
    expect([await post(tested, message), await post(tested, message)]).toEqual([200, 200])
    expect(await isValidByAws(message)).toBe(true)
  })

  it('is accepted or refused as by the validator of AWS, whatever is changed after signing', async () => {
    const tested = await start()
    const names = ['Type', 'MessageId', 'TopicArn', 'Subject', 'Message', 'Timestamp', 'SignatureVersion', 'Signature']
    const text = fc.string({ unit: 'binary' }).filter((sent) => sent.isWellFormed())
    const change = fc.oneof(
      fc.constant(undefined),
      fc.record({ name: fc.constantFrom(...names, 'Other'), value: fc.option(text, { nil: undefined }) }),
    )
    const check = async (content: string, changed: { name: string; value: string | undefined } | undefined) => {
      const signed = topic.notification(content, tested.clock.now())
      const { [changed?.name ?? 'Other']: before, ...rest } = signed
      const value = changed?.value ?? ''
      const message: SnsFields =
        changed === undefined || value === ''
          ? { ...rest, ...(changed === undefined && { Other: before ?? 'x' }) }
          : { ...rest, [changed.name]: value }
      const isAccepted = (await post(tested, message)) === 200
      expect(isAccepted).toBe(await isValidByAws(message))
    }
    await fc.assert(
      fc.asyncProperty(
        text.filter((sent) => sent !== ''),
        change,
        check,
      ),
      { numRuns: 60 },
    )
  })

  it.each([
    ['a body that is no message', 'raw message delivery', 'signature-missing'],
    ['a JSON body without an envelope', '{"eventType":"TEXT_DELIVERED"}', 'signature-missing'],
  ])('gets 401 with %s', async (_, body, reason) => {
    const tested = await start()
    expect(await post(tested, body)).toBe(401)
    expect(tested.observer.refusals).toEqual([`aws 401 ${reason}`])
    expect([tested.journal.entries, topic.requests]).toEqual([[], []])
    expect(tested.log.lines[0]?.facts).toMatchObject({ reason, setting: 'sources.aws.callback.topicArns' })
  })

  it('gets 401 without the header that SNS sends, before its body is read', async () => {
    const tested = await start()
    const body = JSON.stringify(topic.notification('text', tested.clock.now()))
    const answer = await request(`${tested.origin}/callbacks/aws`, { method: 'POST', body })
    expect(answer.statusCode).toBe(401)
    expect(topic.requests).toEqual([])
  })

  it('gets 401 if a member occurs twice, because another reader may take the value that is not signed', async () => {
    const tested = await start()
    const body = JSON.stringify(topic.notification('signed', tested.clock.now()))
    expect(await post(tested, body.replace('{', '{"Message":"forged",'))).toBe(401)
    expect(await post(tested, body)).toBe(200)
  })

  it.each([
    ['another topic of the same account', { TopicArn: `${TOPIC_ARN}-2` }, 'topic'],
    ['a topic of another account', { TopicArn: 'arn:aws:sns:eu-west-1:999999999999:sms' }, 'topic'],
    [
      'a certificate of another host',
      { SigningCertURL: 'https://sns.eu-west-1.amazonaws.com.evil.example/a.pem' },
      'signature-wrong',
    ],
    ['a signature version that does not exist', { SignatureVersion: '3' }, 'signature-missing'],
  ])('of %s gets 401, and nothing is fetched', async (_, changes, reason) => {
    const tested = await start()
    expect(await post(tested, topic.notification('text', tested.clock.now(), changes as SnsFields))).toBe(401)
    expect(tested.observer.refusals).toEqual([`aws 401 ${reason}`])
    expect(topic.requests).toEqual([])
  })

  it.each([
    'http://HOST/a.pem',
    'https://HOST/a.txt',
    'https://HOST/a.pem?x=1',
    'https://user@HOST/a.pem',
    'https://HOST/a.pem#x',
    'no address',
  ])('that names the certificate %s gets 401, and nothing is fetched', async (address) => {
    const tested = await start()
    const signed = topic.notification('text', tested.clock.now())
    expect(await post(tested, { ...signed, SigningCertURL: address.replace('HOST', topic.host) })).toBe(401)
    expect(topic.requests).toEqual([])
  })

  it('gets 401 if it is older than signatureMaxAge or from the future', async () => {
    const tested = await start()
    const now = tested.clock.now()
    expect(await post(tested, topic.notification('text', now - MAX_AGE_MS - 1))).toBe(401)
    expect(await post(tested, topic.notification('text', now - MAX_AGE_MS))).toBe(200)
    expect(await post(tested, topic.notification('text', now + 600_000))).toBe(401)
    expect(tested.observer.refusals).toEqual(['aws 401 signature-too-old', 'aws 401 signature-from-the-future'])
  })
})

describe('The certificate of a callback by Amazon SNS', () => {
  it('is fetched once for many callbacks that arrive together', async () => {
    const tested = await start()
    const codes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => post(tested, topic.notification(`text ${index}`, tested.clock.now()))),
    )
    expect(new Set(codes)).toEqual(new Set([200]))
    expect(topic.requests).toEqual(['/SimpleNotificationService-1.pem'])
  })

  it('is fetched again after a day, while callbacks are verified with the one that is known', async () => {
    const tested = await start()
    expect(await post(tested, topic.notification('text', tested.clock.now()))).toBe(200)
    topic.status = 500
    await tested.clock.advance(DAY_MS + 1)
    expect(await post(tested, topic.notification('text', tested.clock.now()))).toBe(200)
    await expect.poll(() => topic.requests.length).toBe(2)
  })

  it('that has expired is not used: the callback gets 503', async () => {
    const tested = await start()
    expect(await post(tested, topic.notification('text', tested.clock.now()))).toBe(200)
    await tested.clock.advance(3 * DAY_MS)
    expect(await post(tested, topic.notification('text', tested.clock.now()))).toBe(503)
    expect(tested.observer.refusals).toEqual(['aws 503 certificate-unavailable'])
    expect(tested.journal.entries).toHaveLength(1)
  })

  it.each(['other-name', 'weak', 'wrong-issuer', 'text', 'missing'])(
    'named %s is not used although it signed: the callback gets 503 and is not stored',
    async (name) => {
      const tested = await start()
      const SigningCertURL = `https://${topic.host}/SimpleNotificationService-${name}.pem`
      expect(await post(tested, topic.notification('text', tested.clock.now(), { SigningCertURL }))).toBe(503)
      expect(tested.journal.entries).toEqual([])
      expect(tested.log.lines.map(({ facts }) => (facts as { event: string }).event)).toContain('sns-unavailable')
    },
  )

  it('that can not be fetched costs 503 with Retry-After until it can, and one request in five seconds', async () => {
    const tested = await start()
    const message = topic.notification('text', tested.clock.now())
    topic.status = 500
    expect([await post(tested, message), await post(tested, message)]).toEqual([503, 503])
    expect(topic.requests).toHaveLength(1)
    topic.status = 200
    expect(await post(tested, message)).toBe(503)
    await tested.clock.advance(5_000)
    expect(await post(tested, message)).toBe(200)
    expect(tested.log.lines.map(({ facts }) => (facts as { event: string }).event)).toEqual([
      'sns-unavailable',
      'sns-available',
    ])
  })

  it('is not fetched from a server that the authorities do not vouch for', async () => {
    const tested = await start()
    tested.server.reconfigure({
      host: '127.0.0.1',
      port: 0,
      drainDelay: 0,
      bodyLimit: 1_024 * 1_024,
      trustProxy: false,
      maxConnections: 100,
      maxRefusedPerMinute: 100,
      sources: [
        {
          name: 'aws',
          provider: 'aws-sns',
          callback: {
            open: false,
            topicArns: [TOPIC_ARN],
            signature: { sns: { host: topic.host } },
            signatureMaxAge: MAX_AGE_MS,
          },
        },
      ],
      sns: {},
    } as Parameters<typeof tested.server.reconfigure>[0])
    expect(await post(tested, topic.notification('text', tested.clock.now()))).toBe(503)
    expect(topic.requests).toEqual([])
  })

  it('of unknown addresses is asked for at most 60 times a minute, and known ones stay in use', async () => {
    const tested = await start()
    const known = topic.notification('text', tested.clock.now())
    expect(await post(tested, known)).toBe(200)
    for (let index = 0; index < 100; index++) {
      const SigningCertURL = `https://${topic.host}/${index}.pem`
      expect(await post(tested, { ...known, SigningCertURL })).toBe(503)
    }
    expect(topic.requests).toHaveLength(60)
    expect(await post(tested, known)).toBe(200)
  })
})

describe('A subscription to a topic of Amazon SNS', () => {
  const confirmations = (): string[] =>
    topic.requests.filter((target) => target.startsWith('/?Action=ConfirmSubscription'))

  it('is confirmed once when the message about it is verified, and the message is in custody', async () => {
    const tested = await start()
    const message = topic.confirmation('SubscriptionConfirmation', tested.clock.now())
    expect([await post(tested, message), await post(tested, message)]).toEqual([200, 200])
    expect(confirmations()).toHaveLength(1)
    expect(tested.journal.entries).toHaveLength(2)
    expect(tested.log.lines[0]).toMatchObject({
      level: 'info',
      facts: { event: 'subscription-confirmed', topicArn: TOPIC_ARN },
    })
    expect(await isValidByAws(message)).toBe(true)
  })

  it('is not confirmed if the signature is wrong, or of another topic', async () => {
    const tested = await start()
    const signed = topic.confirmation('SubscriptionConfirmation', tested.clock.now())
    expect(await post(tested, { ...signed, Message: 'changed' })).toBe(401)
    expect(
      await post(
        tested,
        topic.confirmation('SubscriptionConfirmation', tested.clock.now(), { TopicArn: `${TOPIC_ARN}2` }),
      ),
    ).toBe(401)
    expect(confirmations()).toEqual([])
  })

  it.each([
    'https://sns.evil.example/?Action=ConfirmSubscription',
    'https://HOST/?Action=Unsubscribe&TopicArn=TOPIC&Token=2336412f37fb687f5d51e6e2425f004ae',
    'https://HOST/other?Action=ConfirmSubscription&TopicArn=TOPIC&Token=2336412f37fb687f5d51e6e2425f004ae',
    'https://HOST/?Action=ConfirmSubscription&TopicArn=TOPIC2&Token=2336412f37fb687f5d51e6e2425f004ae',
    'https://HOST/?Action=ConfirmSubscription&TopicArn=TOPIC&Token=other',
  ])('is not confirmed at %s, even if that is signed', async (address) => {
    const tested = await start()
    const SubscribeURL = address.replace('HOST', topic.host).replace('TOPIC', TOPIC_ARN)
    const message = topic.confirmation('SubscriptionConfirmation', tested.clock.now(), { SubscribeURL })
    expect(await post(tested, message)).toBe(401)
    expect(topic.requests).toEqual(['/SimpleNotificationService-1.pem'])
  })

  it('that can not be confirmed costs 503, and is confirmed when SNS repeats the message', async () => {
    const tested = await start()
    expect(await post(tested, topic.notification('text', tested.clock.now()))).toBe(200)
    const message = topic.confirmation('SubscriptionConfirmation', tested.clock.now())
    topic.status = 500
    expect(await post(tested, message)).toBe(503)
    expect(tested.observer.refusals).toEqual(['aws 503 subscription-unconfirmed'])
    expect(tested.journal.entries).toHaveLength(1)
    topic.status = 200
    await tested.clock.advance(20_000)
    expect(await post(tested, message)).toBe(200)
    expect(confirmations()).toHaveLength(2)
  })

  it('that is confirmed while the journal is full is confirmed once, and the message is repeated until it is in custody', async () => {
    const tested = await start()
    const message = topic.confirmation('SubscriptionConfirmation', tested.clock.now())
    tested.journal.refuses = 'JOURNAL_FULL'
    expect(await post(tested, message)).toBe(503)
    tested.journal.refuses = undefined
    expect(await post(tested, message)).toBe(200)
    expect(confirmations()).toHaveLength(1)
  })

  it('that was ended is logged, and is not subscribed again', async () => {
    const tested = await start()
    expect(await post(tested, topic.confirmation('UnsubscribeConfirmation', tested.clock.now()))).toBe(200)
    expect(confirmations()).toEqual([])
    expect(tested.log.lines[0]).toMatchObject({ level: 'warn', facts: { event: 'subscription-ended', source: 'aws' } })
  })

  it('is refused with 503 if the server is closed while it waits for the confirmation', async () => {
    const tested = await start()
    let open: () => void = () => undefined
    topic.gate = new Promise((resolve) => (open = resolve))
    const answered = post(tested, topic.confirmation('SubscriptionConfirmation', tested.clock.now())).catch(
      () => 'closed',
    )
    await expect.poll(() => topic.requests.length).toBe(1)
    await closeNow(running.pop()!)
    expect(await answered).not.toBe(200)
    open()
    expect(tested.journal.entries).toEqual([])
  })
})
