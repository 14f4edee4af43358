/** The rules of the configuration: each violation is reported once, with its key. */
import { describe, expect, it } from 'vitest'
import { REQUIRED, load, problemsOf, withKafka, withSource } from './support.js'

const SEVEN = 'provider: seven, callback: {open: true}'

/** Key and text of the only problem of a configuration. */
const problemOf = (yaml: string, env = {}): string => {
  const problems = problemsOf(yaml, env)
  expect(problems).toHaveLength(1)
  return (problems[0] ?? '').replace(/^c\.yaml(:\d+:\d+)? ?/, '')
}

const expectValid = (yaml: string): void => {
  expect(problemsOf(yaml)).toEqual([])
}

describe('A source', () => {
  it('is refused without pull and callback', () => {
    expect(problemOf(withSource('provider: seven'))).toMatch(/^sources\.one: receives nothing; add pull, callback or/)
  })

  it('may have both pull and callback', () => {
    expectValid(withSource('provider: mtarget, pull: {username: u, password: p}, callback: {open: true}'))
  })

  it('with pull is refused for a provider without a queue', () => {
    expect(problemOf(withSource(`${SEVEN}, pull: {username: u, password: p}`))).toMatch(
      /^sources\.one\.pull: is supported for provider mtarget only: /,
    )
  })

  it.each([
    ['reconcile: {apiKey: k}', 'reconcile'],
    ['ignoreEvents: [voice_status]', 'ignoreEvents'],
    ['callback: {signingKey: k, publicUrl: "https://a"}', 'callback.signingKey'],
  ])('of Mtarget with %s is refused', (keys, path) => {
    const pull = keys.startsWith('callback') ? '' : ', callback: {open: true}'
    expect(problemOf(withSource(`provider: mtarget, ${keys}${pull}`))).toContain(
      `sources.one.${path}: is supported for provider seven only: `,
    )
  })

  it('of seven with textFields is refused', () => {
    expect(problemOf(withSource(`${SEVEN}, textFields: [a]`))).toContain(
      'sources.one.textFields: is supported for provider mtarget only: ',
    )
  })

  it.each(['infobip', 'Mtarget', 'target'])('of the unknown provider %j is refused', (provider) => {
    expect(problemOf(withSource(`provider: "${provider}", callback: {open: true}`))).toBe(
      `sources.one.provider: found ${JSON.stringify(provider)}; one of mtarget, seven is expected; the nearest is mtarget`,
    )
  })

  it.each(['a/b', 'a b', 'é', '.', '..', 'x'.repeat(101)])('can not be named %j', (name) => {
    const problem = problemOf(withSource(SEVEN).replace('one:', `"${name}":`))
    expect(problem).toContain('a name of 1 to 100 letters, digits, ".", "_" and "-" is expected')
  })

  it.each(['a', 'A.b_c-9', '0', 'constructor', 'token', 'x'.repeat(100)])('can be named %j', (name) => {
    expect([...load(withSource(SEVEN).replace('one:', `"${name}":`)).sources.keys()]).toEqual([name])
  })

  it('is required: a configuration without any source is refused', () => {
    const none = REQUIRED.replace(/sources.*/, 'sources: {}')
    expect(problemOf(none)).toBe('sources: is empty; at least one source is expected')
    expect(problemOf(REQUIRED.replace(/sources.*/, ''))).toContain('is missing; a section with at least one source is')
    expect(problemOf(REQUIRED.replace(/sources.*/, 'sources:'))).toContain('found nothing; a section with at least one')
  })
})

describe('The callback of a source', () => {
  const callback = (keys: string): string => withSource(`provider: seven, callback: {${keys}}`)

  it.each(['', 'open: false', 'publicUrl: "https://a", signatureMaxAge: 1h'])(
    'with {%s} is refused, because it authenticates no caller',
    (keys) => {
      expect(problemOf(callback(keys))).toContain('sources.one.callback: authenticates no caller; ')
    },
  )

  it.each([
    'token: abc',
    'basic: {username: u, password: p}',
    'signingKey: k, publicUrl: "https://a"',
    'allowFrom: [127.0.0.1]',
    'open: true',
    'token: abc, basic: {username: u, password: p}, allowFrom: [127.0.0.1], open: false',
  ])('with {%s} is accepted', (keys) => {
    expectValid(callback(keys))
  })

  it('with both open: true and a token is refused', () => {
    expect(problemOf(callback('open: true, token: abc'))).toContain('sources.one.callback.open: contradicts token, ')
  })

  it('with signingKey is refused without publicUrl', () => {
    expect(problemOf(callback('signingKey: k'))).toContain(
      'sources.one.callback.publicUrl: is missing; signingKey needs it',
    )
  })

  it.each(['a/b', '', 'a b', 'a%2Fb', 'a?b', 'a#b', '..', 'é', 'x'.repeat(201)])(
    'with the token %j is refused',
    (token) => {
      const problem = problemOf(callback(`token: "${token}"`))
      expect(problem).toMatch(
        /^sources\.one\.callback\.token: found "…?"; a token of 1 to 200 letters, digits, "-", "\.", "_" and "~" .* is expected$/,
      )
    },
  )

  it.each([
    ['token: a', ['a']],
    ['token: [a]', ['a']],
    ['token: ["new", "old"]', ['new', 'old']],
    ['token: ["${NEW}", "${OLD}"]', ['n', 'o']],
  ])('with {%s} has a list of tokens', (keys, tokens) => {
    expect(load(callback(keys), { NEW: 'n', OLD: 'o' }).sources.get('one')?.callback?.token).toEqual(tokens)
  })

  it('with topicArns is refused for a provider whose callbacks do not come by Amazon SNS, and for what is no topic', () => {
    const arn = 'arn:aws:sns:eu-west-1:123456789012:sms'
    expect(problemOf(callback(`topicArns: ["${arn}"]`))).toBe(
      'sources.one.callback.topicArns: is supported only for a provider whose callbacks come by Amazon SNS, such as aws-sns',
    )
    for (const wrong of [
      'sms',
      'arn:aws:sqs:eu-west-1:123456789012:sms',
      `${arn}:subscription`,
      'arn:aws:sns:evil.example/:123456789012:sms',
    ])
      expect(problemsOf(callback(`topicArns: ["${wrong}"]`)).join()).toContain('the ARN of a topic such as')
  })

  it('takes a password or a signing key with a comma as one', () => {
    const { basic, signingKey } = load(
      callback('basic: {username: u, password: "a,b"}, signingKey: ["c,d", e], publicUrl: "https://a"'),
    ).sources.get('one')!.callback!
    expect([basic?.password, signingKey]).toEqual([['a,b'], ['c,d', 'e']])
  })

  it.each([
    ['token: []', /^sources\.one\.callback\.token: found an empty list; a token of .*, or a list of two is expected$/],
    ['token: [a, b, c]', /^sources\.one\.callback\.token: found a list; a token of .*, or a list of two is expected$/],
    ['token: [a, "b/c"]', /^sources\.one\.callback\.token\.1: found "…"; a token of .* is expected$/],
    ['token: [a, {b: c}]', /^sources\.one\.callback\.token\.1: found a section; a token of .* is expected$/],
    ['token: {a: b}', /^sources\.one\.callback\.token: found a section; a token of .* is expected$/],
    ['token: ["", a]', /^sources\.one\.callback\.token\.0: found ""; a token of .* is expected$/],
  ])('with {%s} is refused, and shows no secret', (keys, expected) => {
    expect(problemOf(callback(keys))).toMatch(expected)
  })

  it.each([
    ['body: OK', { status: 200, body: 'OK' }],
    ['status: 204', { status: 204 }],
    [
      'status: 202, contentType: "application/json; charset=utf-8", body: "{}\\n"',
      { status: 202, contentType: 'application/json; charset=utf-8', body: '{}\n' },
    ],
    [`body: ${'x'.repeat(4096)}`, { status: 200, body: 'x'.repeat(4096) }],
  ])('with answer {%s} is accepted', (keys, answer) => {
    expect(load(callback(`open: true, answer: {${keys}}`)).sources.get('one')?.callback?.answer).toEqual(answer)
  })

  it.each([
    ['status: 302', 'answer.status: found "302"; a whole number from 200 to 299 is expected'],
    ['status: 199', 'answer.status: found "199"'],
    ['contentType: text/plain', 'answer.contentType: describes a body that the answer does not have'],
    ['status: 204, body: OK', 'answer.body: is never sent with this status'],
    ['status: 205, body: OK', 'answer.body: is never sent with this status'],
    ['body: ""', 'answer.body: found ""; a text of 1 to 4096 bytes is expected'],
    [`body: ${'é'.repeat(2049)}`, 'answer.body: found '],
    ['body: OK, contentType: "text/plain\\r\\nx: y"', 'answer.contentType: found '],
    ['body: OK, contentType: "text"', 'answer.contentType: found '],
    ['body: OK, contentType: "text/plain; charset=é"', 'answer.contentType: found '],
    [`body: OK, contentType: "text/${'x'.repeat(200)}"`, 'answer.contentType: found '],
  ])('with answer {%s} is refused', (keys, expected) => {
    expect(problemOf(callback(`open: true, answer: {${keys}}`))).toContain(`sources.one.callback.${expected}`)
  })

  it.each([
    ['195.201.160.143/32', '195.201.160.143/32'],
    ['195.201.160.143', '195.201.160.143/32'],
    ['2a01:4f8:13a:8e7::2', '2a01:4f8:13a:8e7::2/128'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::ffff:10.0.0.0/104', '::ffff:10.0.0.0/104'],
  ])('with allowFrom %s is accepted', (written, resolved) => {
    expect(load(callback(`allowFrom: ["${written}"]`)).sources.get('one')?.callback?.allowFrom).toEqual([resolved])
  })

  it.each([
    'example.com',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0/8',
    '1.2.3.4/8/8',
    'fe80::1%lo',
    '::ffff:10.0.0.0/8',
    '::ffff:10.0.0.0/95',
    '',
  ])('with allowFrom %j is refused', (written) => {
    expect(problemOf(callback(`allowFrom: ["${written}"]`))).toContain('allowFrom.0: found ')
  })

  it('with an empty allowFrom is refused', () => {
    expect(problemOf(callback('allowFrom: []'))).toContain('allowFrom: found an empty list; a list of at least one is')
  })
})

describe('The limit of a pull', () => {
  const limit = (keys: string): string =>
    withSource(`provider: mtarget, pull: {username: u, password: p, limit: {${keys}}}`)

  it.each(['min: 1, start: 1, max: 1', 'min: 10, start: 50, max: 50', 'start: 1000', 'itemsPerSecond: 1'])(
    'with {%s} is accepted',
    (keys) => {
      expectValid(limit(keys))
    },
  )

  it.each([
    ['min: 51', 'min: is greater than start'],
    ['max: 49', 'start: is greater than max'],
    ['min: 3, start: 2, max: 9', 'min: is greater than start'],
  ])('with {%s} is refused', (keys, problem) => {
    expect(problemOf(limit(keys))).toContain(`sources.one.pull.limit.${problem}; min <= start <= max is expected`)
  })

  it('with itemsPerSecond 0 is refused', () => {
    expect(problemOf(limit('itemsPerSecond: 0'))).toContain(
      'limit.itemsPerSecond: found "0"; a whole number from 1 to 1000000 is expected',
    )
  })

  it('with a min that is no number is reported once', () => {
    expect(problemOf(limit('min: ten'))).toContain(
      'limit.min: found "ten"; a whole number from 1 to 1000000 is expected',
    )
  })
})

describe('Topics', () => {
  it.each([
    ['topics: {dlr: a, mo: a}', 'kafka.topics.mo: is the same topic as dlr'],
    ['topics: {dlr: sms.mo}', 'kafka.topics.mo: is the same topic as dlr'],
    ['topics: {deadLetter: sms.mo}', 'kafka.topics.deadLetter: is the same topic as dlr or mo'],
    [
      'topics: {deadLetterReplays: sms.dlr}',
      'kafka.topics.deadLetterReplays: is the same topic as dlr, mo or deadLetter',
    ],
  ])('with {%s} are refused, because two of them are the same', (keys, problem) => {
    expect(problemOf(withKafka(keys))).toContain(problem)
  })

  it('are refused where sharing.topic is one of them', () => {
    expect(problemOf(`${REQUIRED}sharing: {topic: sms.mo}`)).toContain('sharing.topic: is also one of kafka.topics')
  })

  it.each(['.', '..', 'a b', 'é', 'x'.repeat(250), ''])('can not be named %j', (name) => {
    expect(problemOf(withKafka(`topics: {dlr: "${name}"}`))).toContain('a topic name of 1 to 249 letters, digits')
  })
})

describe('Addresses', () => {
  it.each([
    'localhost',
    'a:0',
    'a:65536',
    'kafka://a:1',
    '::1:9092',
    '[::1]',
    '[::1::]:9092',
    '[a]:9092',
    'u:p@a:1',
    '',
  ])('that are no brokers are refused: %j', (broker) => {
    expect(problemOf(REQUIRED.replace('127.0.0.1:9092', broker))).toMatch(/^kafka\.brokers/)
  })

  it('of brokers are names, IPv4 addresses and IPv6 addresses in brackets', () => {
    const brokers = '["a:1", "127.0.0.1:2", "[::1]:3", "[2001:db8::7]:4"]'
    expect(load(REQUIRED.replace("['127.0.0.1:9092']", brokers)).kafka.brokers).toEqual(JSON.parse(brokers))
  })

  it.each(['ftp://a', 'a', 'http://', 'http://u:hunter2@a', 'http://a#b', 'http://a?b', 'http://a b'])(
    'that are no registry are refused: %j',
    (url) => {
      const problem = problemOf(REQUIRED.replace('http://127.0.0.1:8081', url))
      expect(problem).toMatch(/^registry\.url: /)
      expect(problem).not.toContain('hunter2')
    },
  )

  it('lose the slash at their end, because paths are appended to them', () => {
    expect(load(REQUIRED.replace(':8081', ':8081/apis/ccompat/v7/')).registry.url).toBe(
      'http://127.0.0.1:8081/apis/ccompat/v7',
    )
  })

  it('of the callbacks and the admin server must not collide', () => {
    expect(problemOf(`${REQUIRED}admin: {port: 8080}`)).toContain('admin.port: is also the port of callbacks')
    expectValid(`${REQUIRED}admin: {port: 0}\ncallbacks: {port: 0}`)
    expectValid(`${REQUIRED}admin: {host: 127.0.0.1, port: 80}\ncallbacks: {host: 127.0.0.2, port: 80}`)
  })
})

describe('SASL credentials', () => {
  it.each(['plain', 'scram-sha-256', 'scram-sha-512'])('for %s are a user name and a password', (mechanism) => {
    expect(load(withKafka(`sasl: {mechanism: ${mechanism}, username: u, password: p}`)).kafka.sasl).toEqual({
      mechanism,
      username: 'u',
      password: 'p',
    })
    expect(problemOf(withKafka(`sasl: {mechanism: ${mechanism}, username: u}`))).toContain(
      'kafka.sasl.password: is missing;',
    )
    expect(problemOf(withKafka(`sasl: {mechanism: ${mechanism}, username: u, password: p, scope: s}`))).toContain(
      'kafka.sasl.scope: has no effect with this mechanism; remove it, or choose another mechanism',
    )
  })

  it('for oauthbearer are those of an OAuth client', () => {
    const client = 'mechanism: oauthbearer, tokenEndpoint: "https://a/token", clientId: i, clientSecret: s'
    expect(load(withKafka(`sasl: {${client}}`)).kafka.sasl).toEqual({
      mechanism: 'oauthbearer',
      tokenEndpoint: 'https://a/token',
      clientId: 'i',
      clientSecret: 's',
    })
    expect(load(withKafka(`sasl: {${client}, scope: kafka}`)).kafka.sasl).toMatchObject({ scope: 'kafka' })
    expect(problemsOf(withKafka('sasl: {mechanism: oauthbearer, password: p}'))).toHaveLength(4)
  })

  it('for aws-msk-iam are found by their region alone', () => {
    const expected = { mechanism: 'aws-msk-iam', region: 'eu-central-1' }
    expect(load(withKafka('sasl: {mechanism: aws-msk-iam, region: eu-central-1}')).kafka.sasl).toEqual(expected)
    expect(problemOf(withKafka('sasl: {mechanism: aws-msk-iam}'))).toContain('kafka.sasl.region: is missing')
    expect(problemOf(withKafka('sasl: {mechanism: aws-msk-iam, region: "a.evil.example/"}'))).toContain(
      'kafka.sasl.region: found "a.evil.example/"; an AWS region such as eu-central-1',
    )
    expect(problemOf(withKafka('sasl: {mechanism: plain, username: u, password: p, region: eu-west-1}'))).toContain(
      'kafka.sasl.region: has no effect with this mechanism',
    )
  })
})

describe('The context of the registry', () => {
  const withContext = (context: string): string =>
    REQUIRED.replace(/(registry: *\{.*?)\}/, `$1, context: "${context}"}`)

  it.each(['team', 'Team_2-a'])('can be %j', (context) => {
    expect(load(withContext(context)).registry.context).toBe(context)
  })

  it.each([':.team:', '.team', 'a b', 'a/b', 'a?b', ''])('can not be %j, which is no name alone', (context) => {
    expect(problemOf(withContext(context))).toContain(
      `registry.context: found ${JSON.stringify(context)}; the name of a context of letters, digits, _ and -, such as team for :.team: is expected`,
    )
  })
})

describe('Credentials for the registry', () => {
  const auth = (keys: string): string => REQUIRED.replace("8081'", `8081', auth: {${keys}}`)

  it('are a user name and a password, or a token', () => {
    expect(load(auth('username: u, password: p')).registry.auth).toEqual({ username: 'u', password: 'p' })
    expect(load(auth('token: t')).registry.auth).toEqual({ token: 't' })
  })

  it('are an OAuth client', () => {
    const client = { tokenEndpoint: 'https://a/token', clientId: 'i', clientSecret: 's' }
    const keys = 'tokenEndpoint: "https://a/token", clientId: i, clientSecret: s'
    expect(load(auth(keys)).registry.auth).toEqual(client)
    expect(load(auth(`${keys}, scope: a b, tokenEndpointTls: true`)).registry.auth).toEqual({
      ...client,
      scope: 'a b',
      tokenEndpointTls: {},
    })
    expect(problemOf(auth('token: t, scope: s'))).toContain('scope and tokenEndpointTls have no effect without')
  })

  it.each(['', 'username: u', 'clientId: i', 'token: t, username: u, password: p', 'token: t, clientId: i'])(
    'with {%s} are refused',
    (keys) => {
      expect(problemOf(auth(keys))).toBe(
        'registry.auth: needs either username and password, or token, or tokenEndpoint, clientId and clientSecret, and only one of these',
      )
    },
  )
})

describe('A value of the wrong format', () => {
  it.each(['a b', 'a/b', '', 'x'.repeat(201)])('is refused as the name of an instance: %j', (name) => {
    expect(problemOf(`${REQUIRED}instance: "${name}"`)).toContain('a name of 1 to 200 letters, digits')
  })

  it.each([
    ['kafka.maxBatchBytes: found "127KiB"; a size', withKafka('maxBatchBytes: 127KiB')],
    ['kafka.compression: found "brotli"; one of none, gzip, snappy, lz4, zstd is', withKafka('compression: brotli')],
    ['kafka.requestTimeout: found "5"; a duration such as 250ms, 30s', withKafka('requestTimeout: 5')],
    // Node.js runs a timer of more than 2^31 - 1 ms at once.
    ['shutdownGrace: found "25d"; a duration', `${REQUIRED}shutdownGrace: 25d`],
    ['callbacks.port: found "65536"; a whole number from 0 to 65535 is', `${REQUIRED}callbacks: {port: 65536}`],
    ['callbacks.trustProxy: found "yes"; true or false is expected', `${REQUIRED}callbacks: {trustProxy: yes}`],
    ['fatal, silent is expected; the nearest is info', `${REQUIRED}log: {level: inf}`],
    ['sharing: found nothing; a section with keys of its own (group, topic, sessionTimeout) is', `${REQUIRED}sharing:`],
    ['duplicates.remember: found "31"; a duration', `${REQUIRED}duplicates: {remember: 31}`],
    [
      'giveUpAfter: is not longer than after',
      withSource(`${SEVEN}, reconcile: {apiKey: k, after: 2h, giveUpAfter: 1h}`),
    ],
    ['journal: unknown key; it is now log', withSource(`${SEVEN}, reconcile: {apiKey: k, journal: {days: 3}}`)],
    ['reconcile.apiKey: found "…"; a text of at least one', withSource(`${SEVEN}, reconcile: {apiKey: "a\\nb"}`)],
  ])('is refused with the problem "%s …"', (problem, yaml) => {
    expect(problemOf(yaml)).toContain(problem)
  })
})

describe('The encryption of the journal', () => {
  const encryption = (keys: string): string => `${REQUIRED}journal: {encryption: {${keys}}}`
  const KEY = 'a'.repeat(64)

  it.each([
    ['hexadecimal', `key: ${KEY}`],
    ['Base64', `key: ${Buffer.alloc(32, 255).toString('base64')}`],
    ['Base64url', `key: ${Buffer.alloc(32, 255).toString('base64url')}`],
    ['a list of previous keys', `key: ${KEY}, previousKeys: [${'b'.repeat(64)}, ${'c'.repeat(64)}]`],
    ['previous keys alone', `previousKeys: [${KEY}]`],
  ])('takes %s', (_, keys) => expectValid(encryption(keys)))

  it.each([
    ['a key of 16 bytes', 'a'.repeat(32)],
    ['a passphrase', 'correct horse battery staple'],
    ['a longer key', 'a'.repeat(66)],
    ['a key with other characters', `${'a'.repeat(63)}z`],
    ['an empty key', '""'],
  ])('refuses %s and does not show it', (_, key) => {
    const problem = problemOf(encryption(`key: ${key}`))
    expect(problem).toMatch(/^journal\.encryption\.key: found ".?"; a key of 32 bytes in Base64 or hexadecimal/)
  })

  it('is refused without a key', () => {
    expect(problemOf(encryption(''))).toMatch(/^journal\.encryption: names no key; set key, or remove the section/)
  })
})

describe('The records', () => {
  it('are refused with a short secret, which is not shown', () => {
    const problem = problemOf(`${REQUIRED}records: {mo: {keySecret: too-short}}`)
    expect(problem).toMatch(/^records\.mo\.keySecret: found "…"; a secret of at least 32 characters/)
  })

  it('hold everything unless the configuration says otherwise', () => {
    expect(load(REQUIRED).records).toEqual({ dlr: { raw: 'plain' }, mo: { raw: 'plain', text: 'plain' } })
  })
})
