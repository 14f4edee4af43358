import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from '../../src/config/load.js'
import { ConnectorError } from '../../src/core/errors.js'
import type { PullAccount, ReconcileAccount, DecodeSettings } from '../../src/providers/provider.js'
import { REQUIRED, load, problemsOf, withSource } from './support.js'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'load-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const write = (content: string | Uint8Array): string => {
  const path = join(directory, 'connector.yaml')
  writeFileSync(path, content)
  return path
}

const errorOf = (file: string): ConnectorError => {
  try {
    loadConfig(file, {})
  } catch (error) {
    expect(error).toBeInstanceOf(ConnectorError)
    return error as ConnectorError
  }
  throw new Error('nothing was thrown')
}

describe('A configuration file', () => {
  it('that is no regular file, or larger than 1 MiB, is refused without being read at length', () => {
    expect(errorOf('/dev/zero').message).toMatch(/^\/dev\/zero: is not a regular file; name the configuration with/)
    expect(errorOf(write(`# ${'x'.repeat(1024 * 1024)}\n${REQUIRED}`)).message).toMatch(/: is larger than 1 MiB; /)
  })
})

describe('A configuration with the required keys only', () => {
  it('has the documented default of every other key', () => {
    expect(load(REQUIRED)).toEqual({
      instance: 'host-1',
      kafka: {
        brokers: ['127.0.0.1:9092'],
        topics: {
          dlr: 'sms.dlr',
          mo: 'sms.mo',
          deadLetter: 'sms.dead-letter',
          deadLetterReplays: 'sms.dead-letter-replays',
        },
        delivery: 'exactly-once',
        compression: 'none',
        maxBatchBytes: 900 * 1024,
        requestTimeout: 5_000,
        transactionTimeout: 60_000,
      },
      registry: { url: 'http://127.0.0.1:8081', register: true, subjectNaming: 'topic-name' },
      journal: { directory: 'data/journal', maxBytes: 1024 ** 3, maxWatchedMessages: 500_000 },
      callbacks: {
        host: '0.0.0.0',
        port: 8080,
        bodyLimit: 1024 ** 2,
        maxConnections: 10_000,
        maxRefusedPerMinute: 1_000,
        trustProxy: false,
        drainDelay: 0,
      },
      admin: { host: '127.0.0.1', port: 9464 },
      shutdownGrace: 20_000,
      duplicates: { remember: 31 * 86_400_000, maxIds: 4_000_000 },
      log: { level: 'info', personalData: 'masked' },
      records: { dlr: { raw: 'plain' }, mo: { raw: 'plain', text: 'plain' } },
      sources: new Map([
        [
          'one',
          {
            name: 'one',
            provider: 'seven',
            callback: { signatureMaxAge: 96 * 3_600_000, open: true },
            textFields: [],
            ignoreEvents: [],
          },
        ],
      ]),
    })
  })

  it('is frozen at every level', () => {
    const config = load(REQUIRED)
    expect(Object.isFrozen(config.kafka.brokers)).toBe(true)
    expect(Object.isFrozen(config.sources.get('one')?.callback)).toBe(true)
  })
})

it('A source with pull has the documented defaults and is assignable to the types of the provider port', () => {
  const one = load(withSource('provider: mtarget, pull: {username: u, password: p}')).sources.get('one')
  expect(one).toEqual({
    name: 'one',
    provider: 'mtarget',
    pull: {
      url: 'https://api-public-2.mtarget.fr/notification',
      username: 'u',
      password: 'p',
      limitParameter: 'max',
      limit: { min: 10, start: 50, max: 1000, itemsPerSecond: 1000 },
      idleDelay: 180_000,
      timeout: 30_000,
      maxAnswer: 64 * 1024 ** 2,
    },
    textFields: ['Content', 'Msg', 'Text', 'text', 'Message'],
    ignoreEvents: [],
  })
  // The compiler checks that the types match.
  const account: PullAccount | undefined = one?.pull
  const settings: DecodeSettings | undefined = one
  expect([account?.username, settings?.textFields.length]).toEqual(['u', 5])
})

it('A source with reconcile has the documented defaults and is assignable to the types of the provider port', () => {
  const one = load(withSource('provider: seven, callback: {open: true}, reconcile: {apiKey: k}')).sources.get('one')
  expect(one?.reconcile).toEqual({
    url: 'https://gateway.seven.io/api',
    apiKey: 'k',
    after: 900_000,
    every: 300_000,
    giveUpAfter: 72 * 3_600_000,
    requestsPerSecond: 5,
    log: { every: 3_600_000, days: 2 },
  })
  const often = 'provider: seven, callback: {open: true}, reconcile: {apiKey: k, every: 1s}'
  expect(load(withSource(often)).sources.get('one')?.reconcile?.log.every).toBe(12_000)
  const account: ReconcileAccount | undefined = one?.reconcile
  expect(account?.apiKey).toBe('k')
})

it('An optional section that is present and empty has its defaults', () => {
  const config = load(`${REQUIRED.replace("9092']", "9092'], createTopics: {}")}sharing: {}\n`)
  expect(config.kafka.createTopics).toEqual({ partitions: 6, replicationFactor: 1 })
  expect(config.sharing).toEqual({
    group: 'dlr-mo-connector',
    topic: 'dlr-mo-connector.sources',
    sessionTimeout: 30_000,
  })
})

it('A section whose keys are all commented out has its defaults', () => {
  expect(load(`${REQUIRED}journal:\nlog:\nadmin:\n`)).toEqual(load(REQUIRED))
})

describe('Values of a configuration', () => {
  it('keep the text as written where text is expected, also if it looks like a number', () => {
    const { sources } = load(withSource('provider: mtarget, pull: {username: 0123, password: 1e3, serviceId: 007}'))
    expect(sources.get('one')?.pull).toMatchObject({ username: '0123', password: '1e3', serviceId: '007' })
  })

  it('are converted after substitution where a number, boolean, duration, size or list is expected', () => {
    const env = { BROKERS: 'a:1, b:2', PORT: '81', TRUST: 'true', GRACE: '1m', SIZE: '2MiB', FROM: '10.0.0.0/8,::1' }
    const config = load(
      `
kafka: {brokers: "\${BROKERS}"}
registry: {url: 'http://r'}
callbacks: {port: "\${PORT}", trustProxy: "\${TRUST}", bodyLimit: "\${SIZE}"}
shutdownGrace: \${GRACE}
sources: {one: {provider: seven, callback: {allowFrom: "\${FROM}"}}}
`,
      env,
    )
    expect(config.kafka.brokers).toEqual(['a:1', 'b:2'])
    expect(config.callbacks).toMatchObject({ port: 81, trustProxy: true, bodyLimit: 2 * 1024 ** 2 })
    expect(config.shutdownGrace).toBe(60_000)
    expect(config.sources.get('one')?.callback?.allowFrom).toEqual(['10.0.0.0/8', '::1/128'])
  })

  it('that were substituted are not parsed as YAML', () => {
    const env = { PASSWORD: '{a: b} # c' }
    const { sources } = load(withSource('provider: mtarget, pull: {username: u, password: "${PASSWORD}"}'), env)
    expect(sources.get('one')?.pull?.password).toBe('{a: b} # c')
  })

  it('may be shared by YAML anchors and merge keys', () => {
    const { sources } = load(`
kafka: {brokers: 'a:1'}
registry: {url: 'http://r'}
sources:
  one: {provider: mtarget, pull: &account {username: u, password: p, idleDelay: 1m}}
  two: {provider: mtarget, pull: {<<: *account, username: v}}
`)
    expect(sources.get('two')?.pull).toMatchObject({ username: 'v', password: 'p', idleDelay: 60_000 })
  })
})

describe('loadConfig', () => {
  it.each([
    ['that is empty', '', 'is empty; kafka.brokers, registry.url and sources are required'],
    ['with a comment only', '# nothing\n', 'is empty; kafka.brokers, registry.url and sources are required'],
    ['with one word', 'hunter2', 'contains no "key: value" lines; see config/connector.yaml for an example'],
    ['with a list', '- a', 'contains no "key: value" lines; see config/connector.yaml for an example'],
    [
      'in Latin-1',
      Uint8Array.of(0xe9),
      'is not UTF-8 text; name the configuration with --config FILE or CONNECTOR_CONFIG',
    ],
  ])('refuses a file %s', (_, content, sentence) => {
    const file = write(content)
    expect(errorOf(file).message).toBe(`${file}: ${sentence}`)
  })

  it('refuses a file that does not exist with CONFIG_INVALID and exit code 2', () => {
    const file = join(directory, 'absent.yaml')
    const error = errorOf(file)
    const example = join(import.meta.dirname, '..', '..', 'config', 'connector.yaml')
    expect(error.message).toBe(
      `${file}: does not exist; name the configuration with --config FILE or CONNECTOR_CONFIG;` +
        ` to begin, copy the example ${example}, which explains every key`,
    )
    expect(existsSync(example)).toBe(true)
    expect([error.code, error.exitCode]).toEqual(['CONFIG_INVALID', 2])
  })

  it('reports all problems of a file at once, in the order of the file, with line and column', () => {
    const file = write(`kafka:
  brokers: [127.0.0.1]
  tpoics: {dlr: a}
sources:
  mtarget-fr:
    provider: mtarget
    pull:
      username: \${MTARGET_USERNAME}
      limit: {min: ten}
  seven: {provider: sevn}
`)
    expect(errorOf(file).message.split('\n')).toEqual([
      `${file}:1:1 registry.url: is missing; the http:// or https:// address of a Confluent-compatible API without credentials and fragment is expected`,
      `${file}:2:13 kafka.brokers.0: found "127.0.0.1"; host:port, where host is a name, an IPv4 address or an IPv6 address in brackets, is expected`,
      `${file}:3:3 kafka.tpoics: unknown key; the nearest known one is topics (known here: brokers, tls, sasl, topics, createTopics, delivery, compression, maxBatchBytes, requestTimeout, transactionTimeout)`,
      `${file}:7:5 sources.mtarget-fr.pull.password: is missing; a text of at least one character and without line breaks is expected`,
      `${file}:8:17 sources.mtarget-fr.pull.username: the environment variable MTARGET_USERNAME is not set; set it, or write \${MTARGET_USERNAME:-default}`,
      `${file}:9:20 sources.mtarget-fr.pull.limit.min: found "ten"; a whole number from 1 to 1000000 is expected`,
      `${file}:10:3 sources.seven: receives nothing; add pull, callback or both`,
      `${file}:10:21 sources.seven.provider: found "sevn"; one of mtarget, seven is expected; the nearest is seven`,
    ])
  })
})

describe('A configuration with very many problems', () => {
  it('reports the first two hundred of each kind, and how many more there are', () => {
    const yaml = `kafka: {brokers: [${'x, '.repeat(1_000)}]}\nregistry: {url: "http://r"}\nsources: {a: {provider: seven, callback: {open: true}}}`
    const { problems = [] } = parseConfig(yaml, {}, 'host')
    expect(problems).toHaveLength(201)
    expect(problems[0]?.text).toBe('has 800 problems more')
  })
})

describe('A YAML syntax error', () => {
  it.each([
    ['a: 1\na: 2', 'c.yaml:2:1: this key appears twice; remove one of them'],
    ['a: b: c', 'c.yaml:1:4: a second "key: value" on one line; quote a value that contains ": "'],
    ['a: "b', 'c.yaml:1:6: a closing quote, bracket, brace, comma or colon is missing'],
    [
      'a: [1',
      'c.yaml:1:6: the indentation of this line matches no line above it, or a bracket or brace above it is not closed',
    ],
    ['a: !!int 3', 'c.yaml:1:4: tags such as !!int are not supported; write the value without a tag'],
    ['? [a]\n: b', 'c.yaml:1:3: a key must be plain text'],
    ['a: 1\n---\nb: 2', 'c.yaml:2:1: a second YAML document begins here; only one is allowed'],
    ['a: *b', 'c.yaml:1:4: an alias (*name) without an anchor (&name) above it'],
    ['a: &b [*b]', 'c.yaml: its aliases (*name) expand to too many values'],
    ['__proto__: {}', 'c.yaml:1:1: a key can\'t be called "__proto__"'],
  ])('in %j is reported without quoting the file', (yaml, problem) => {
    expect(problemsOf(yaml)[0]).toBe(problem)
  })

  it('is reported for a document whose nesting would exhaust the stack of the parser', () => {
    expect(problemsOf('['.repeat(20_000))).toEqual(['c.yaml: is nested too deeply for a configuration'])
  })

  it('about an unquoted ${…} inside braces demands quotes', () => {
    expect(problemsOf('registry: {url: ${URL}}')[0]).toBe('c.yaml:1:18: a "${…}" inside {…} or […] must be quoted')
  })

  it.each([
    ['a: { b: data[id], c: d }\ne: f', 'c.yaml:1:13'],
    ['a: [data[id], b]\nc: d', 'c.yaml:1:9'],
  ])('about an unquoted name with brackets in %j demands quotes', (yaml, place) => {
    expect(problemsOf(yaml)).toEqual([
      `${place}: a name with brackets inside {…} or […] must be quoted, such as 'data[id]'`,
    ])
  })

  it('at which the parser loses its place is the last one that is reported', () => {
    const problems = problemsOf(`a: 1\na: 2\nb: { c: x[y][z] }\n${'d: { e: f }\n'.repeat(20)}`)
    expect(problems.map((each) => each.split(':').slice(0, 3).join(':'))).toEqual(['c.yaml:2:1', 'c.yaml:3:10'])
  })
})
