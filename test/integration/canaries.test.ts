/**
 * Secrets and personal data are planted in everything that the connector reads, and searched in everything that it writes.
 *
 * Every secret of the configuration is a random value of its own. The stand-ins of provider, registry and OTLP endpoint repeat
 * whatever was sent to them, in every form, in their error texts, redirects, content types and header fields; the broker and, once
 * it no longer fails, the registry behind its stand-in are real.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { stringify } from 'yaml'
import { runCommand } from '../../dev/connector/command.js'
import { startTrial, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { echo, formsOf } from '../support/echo.js'
import { OtlpReceiver } from '../support/otlp-receiver.js'

const random = (): string => randomBytes(15).toString('base64url')
/** About thirty commands, each of which starts a process. */
const HOOK_TIMEOUT_MS = 480_000

/** With characters that forms, addresses, JSON and HTML write in another way. */
const awkward = (): string => `${random()} "é&%+/<'\\`

const SECRETS = {
  pullPassword: awkward(),
  callbackToken: random(),
  nextCallbackToken: random(),
  signingKey: awkward(),
  basicPassword: awkward(),
  apiKey: random(),
  registryPassword: awkward(),
  adminToken: random(),
  otlpHeader: random(),
  environmentHeader: random(),
}
/** User names are hidden where others repeat them. */
const USERS = { pull: `account-${random()}`, registry: `registry-${random()}` }

const PEOPLE = {
  recipient: '33698765401',
  sender: '33698765402',
  ofAccountError: '33698765403',
  text: `Canary of a message ${random()}`,
}

type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void

/** A server whose answers are chosen by the test. */
class StandIn {
  handle: Handler = (_request, _body, response) => void response.writeHead(503).end()
  requests = 0
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      this.requests++
      this.handle(request, Buffer.concat(chunks).toString(), response)
    })
  })

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** What an HTTP field can hold of a text that repeats everything. */
const inField = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 6_000)

/** Each repeats what it was sent in another part of its answer. */
const REPEATING: readonly Handler[] = [
  (request, body, response) =>
    response.writeHead(401, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        error_code: 40101,
        message: echo(request, body),
        results: [{ code: '-12', reason: `${PEOPLE.ofAccountError} ${echo(request, body)}` }],
      }),
    ),
  (request, body, response) =>
    response.writeHead(302, { location: `/${encodeURI(inField(echo(request, body)))}` }).end(),
  (request, body, response) => response.writeHead(200, { 'content-type': inField(echo(request, body)) }).end('no page'),
  (request, body, response) => {
    const text = inField(echo(request, body))
    // Framing that the reader of answers quotes.
    response.socket!.end(`HTTP/1.1 200 OK\r\ncontent-length: ${text}\r\ntransfer-encoding: ${text}\r\n\r\nno page`)
  },
  (request, body, response) =>
    response.writeHead(500, inField(echo(request, body)).slice(0, 500)).end(echo(request, body)),
  // Millions of characters, with what was sent all over them.
  (request, body, response) =>
    response.writeHead(422, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        error_code: 42201,
        message: `${echo(request, body)} ${PEOPLE.ofAccountError} ${'x'.repeat(3_000_000)} ${echo(request, body)}`,
      }),
    ),
]

const pullServer = new StandIn()
const registryServer = new StandIn()
const apiServer = new StandIn()
let otlp: OtlpReceiver
let trial: Trial
/** Everything that the connector and its commands have shown, by where. */
const outputs = new Map<string, string>()

const repeatInTurn = (server: StandIn): void => {
  let next = 0
  server.handle = (request, body, response) => REPEATING[next++ % REPEATING.length]!(request, body, response)
}

/** Passes requests on to the real registry. */
const forwardTo =
  (target: string): Handler =>
  (request, body, response) => {
    const { method = 'GET', url = '' } = request
    const headers = { 'content-type': request.headers['content-type'] ?? 'application/json' }
    void fetch(`${target}${url}`, { method, headers, ...(method === 'POST' && { body }) }).then(async (answer) => {
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
    })
  }

const env = (): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_HEADERS: `x-from-environment=${SECRETS.environmentHeader}`,
  OTEL_METRIC_EXPORT_INTERVAL: '1000',
})

const run = async (...args: string[]): Promise<void> => {
  const { stdout, stderr } = await runCommand([...args, '--config', 'connector.yaml'], {
    cwd: trial.folder,
    env: env(),
  })
  const name = args.join(' ')
  outputs.set(name, `${outputs.get(name) ?? ''}\n${stdout}\n${stderr}`)
}

const adminPaths = ['/', '/status.json', '/metrics', '/runbook', '/readyz', '/livez', '/none']
const readAdminPort = async (): Promise<void> => {
  const authorization = `Bearer ${SECRETS.adminToken}`
  for (const path of adminPaths) {
    for (const headers of [{ authorization }, {}]) {
      const answer = await fetch(trial.adminUrl + path, { headers })
      const fields = JSON.stringify([...answer.headers])
      outputs.set(path, `${outputs.get(path) ?? ''}\n${fields}\n${await answer.text()}`)
    }
  }
}

const status = async () =>
  (await (
    await fetch(`${trial.adminUrl}/status.json`, { headers: { authorization: `Bearer ${SECRETS.adminToken}` } })
  ).json()) as {
    registry: { state: string }
    journal: { entries: number }
    sources: { source: string; pull: { lastError: string | null } | null }[]
  }

const callbackUrl = (source: string, token = ''): string =>
  `http://127.0.0.1:${trial.connector.addresses.callbacksPort}/callbacks/${source}${token && `/${token}`}`

/** Callbacks that are accepted, refused, and become dead letters; with credentials wherever a caller can put them. */
const sendCallbacks = async (): Promise<void> => {
  const everything = new URLSearchParams({ ...SECRETS, ...PEOPLE }).toString()
  const post = (url: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(url, { method: 'POST', body, headers })
  const json = { 'content-type': 'application/json' }
  const receipt = JSON.stringify({
    webhook_event: 'dlr',
    data: { msg_id: '77000000001', status: 'DELIVERED', timestamp: '2026-11-28 06:00:00', recipient: PEOPLE.recipient },
  })
  const inbound = JSON.stringify({
    webhook_event: 'sms_mo',
    data: { id: '1', sender: PEOPLE.sender, system: '33600000000', text: PEOPLE.text, time: '1764309600' },
  })
  const url = callbackUrl('seven-main', SECRETS.callbackToken)
  expect((await post(url, receipt, json)).status).toBe(200)
  expect((await post(callbackUrl('seven-main', SECRETS.nextCallbackToken), inbound, json)).status).toBe(200)
  // Dead letters: the secrets stand in content type, content coding and query.
  expect(
    (await post(`${url}?${everything}`, '{"broken', { 'content-type': `text/plain; charset=${SECRETS.apiKey}` }))
      .status,
  ).toBe(200)
  expect((await post(url, 'x', { 'content-encoding': SECRETS.callbackToken })).status).toBe(200)
  // Refused: another source, a wrong token, wrong Basic credentials, a signature, a header of a proxy.
  const basic = Buffer.from(`caller:${SECRETS.basicPassword}x`).toString('base64')
  const signature = createHmac('sha256', SECRETS.signingKey).update('x').digest('hex')
  for (const each of [
    callbackUrl('none', SECRETS.callbackToken),
    callbackUrl('seven-main', SECRETS.adminToken),
    callbackUrl('basic'),
    callbackUrl('signed'),
  ]) {
    const headers = { authorization: `Basic ${basic}`, 'x-signature': signature, 'x-forwarded-for': SECRETS.apiKey }
    const answer = await post(`${each}?${everything}`, everything, headers)
    outputs.set(
      `refusal of ${new URL(each).pathname.split('/')[2]}`,
      `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`,
    )
  }
}

beforeAll(async () => {
  otlp = await OtlpReceiver.start()
  const [pullUrl, registryUrl, apiUrl] = [
    await pullServer.start(),
    await registryServer.start(),
    await apiServer.start(),
  ]
  const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
  const registryPath = new URL(stack.registryUrl).pathname
  for (const server of [pullServer, registryServer, apiServer]) repeatInTurn(server)
  trial = await startTrial(stack, (configuration) => {
    configuration.registry = {
      url: `${registryUrl}${registryPath}`,
      auth: { username: USERS.registry, password: SECRETS.registryPassword },
    }
    configuration.admin['token'] = SECRETS.adminToken
    configuration['log'] = { level: 'trace' }
    configuration['telemetry'] = {
      otlp: {
        endpoint: otlp.endpoint,
        headers: { authorization: `Bearer ${SECRETS.otlpHeader}` },
        traces: { sampleRatio: 1 },
      },
    }
    configuration.sources['mtarget-fr'].pull = {
      url: `${pullUrl}/queue`,
      username: USERS.pull,
      password: SECRETS.pullPassword,
      idleDelay: '100ms',
    }
    Object.assign(configuration.sources['seven-main'], {
      callback: { token: [SECRETS.callbackToken, SECRETS.nextCallbackToken] },
      reconcile: { url: apiUrl, apiKey: SECRETS.apiKey, every: '1s', log: { every: '1s' } },
    })
    configuration.sources['basic'] = {
      provider: 'seven',
      callback: { basic: { username: 'caller', password: SECRETS.basicPassword } },
    }
    configuration.sources['signed'] = {
      provider: 'seven',
      callback: { signingKey: SECRETS.signingKey, publicUrl: 'https://sms.example.com' },
    }
  })

  // While everything fails.
  await run('check')
  await run('check', '--json')
  await run('schemas', 'check')
  await run('schemas', 'register', '--json')
  await trial.connector.start({ env: env() })
  await sendCallbacks()
  await until(() => [pullServer, registryServer, apiServer].every(({ requests }) => requests > REPEATING.length))
  await until(async () => (await status()).sources.some(({ pull }) => pull?.lastError))
  await readAdminPort()

  // While everything works.
  registryServer.handle = forwardTo(new URL(stack.registryUrl).origin)
  let pages = 0
  pullServer.handle = (_request, _body, response) => {
    pages++
    const rows = [
      { MsgId: 'canary-1', Status: '3', DestinationAdress: PEOPLE.recipient },
      { Status: '5', Msisdn: PEOPLE.sender, Content: PEOPLE.text },
      { Status: '5', Msisdn: PEOPLE.sender, Wording: PEOPLE.text },
    ]
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ results: pages === 1 ? rows : [] }))
  }
  apiServer.handle = (_request, _body, response) => void response.writeHead(200).end('[]')
  await until(async () => {
    const { registry, journal } = await status()
    return registry.state === 'ok' && journal.entries === 0 && pages > 1
  })
  await readAdminPort()
  for (const command of [
    'check',
    'schemas check',
    'journal status',
    'journal list',
    'tail',
    'tail --json',
    'dead-letters list',
  ]) {
    await run(...command.split(' '), ...(command.startsWith('tail') ? ['--from-beginning'] : []))
  }
  await run('tail', 'dead-letter', '--json', '--personal-data', 'plain', '--from-beginning')
  await run('dead-letters', 'list', '--json', '--personal-data', 'plain')
  const letters = (await trial.readAll()).filter(({ topic }) => topic === trial.topics.deadLetter)
  expect(letters.length).toBeGreaterThanOrEqual(5)
  for (const { value } of letters) {
    await run('dead-letters', 'show', String(value['eventId']), '--json', '--personal-data', 'plain')
    const { detail, request } = value as { detail: string; request: object }
    outputs.set(
      'detail and request of dead letters',
      `${outputs.get('detail and request of dead letters') ?? ''}\n${detail}\n${JSON.stringify(request)}`,
    )
  }
  await run('dead-letters', 'show', String(letters[0]!.value['eventId']))
  const headers = (await trial.readAll()).map((record) => JSON.stringify(record.headers))
  outputs.set('headers of records', headers.join('\n'))
  await trial.connector.terminate()
  outputs.set('standard output and standard error of run', await readFile(trial.connector.logFile, 'utf8'))
  outputs.set('OpenTelemetry', JSON.stringify([otlp.logs, otlp.spans, otlp.metrics, otlp.resource]))
  expect(otlp.logs.length).toBeGreaterThan(0)
  outputs.set('schema-ids.json', await readFile(join(trial.folder, 'journal', 'schema-ids.json'), 'utf8'))
  await run('journal', 'status', '--json')
  await run('journal', 'list', '--json')

  // A configuration that is wrong in many places.
  const configuration = await readFile(join(trial.folder, 'connector.yaml'), 'utf8')
  const wrong = stringify({
    kafka: {
      brokers: SECRETS.apiKey,
      sasl: { mechanism: 'plain', passwort: SECRETS.basicPassword, clientSecret: SECRETS.apiKey },
    },
    registry: { url: `http://user:${SECRETS.nextCallbackToken}@registry`, auth: { token: [SECRETS.adminToken] } },
    admin: { token: { [SECRETS.signingKey]: SECRETS.otlpHeader } },
    sources: {
      a: { provider: 'seven', callback: { token: `${SECRETS.callbackToken}/`, signingKey: '', open: SECRETS.apiKey } },
    },
  })
  await writeFile(join(trial.folder, 'connector.yaml'), wrong)
  for (const command of ['run', 'check', 'tail']) await run(command, '--json')
  await writeFile(
    join(trial.folder, 'connector.yaml'),
    `${configuration}\n"${SECRETS.registryPassword.replaceAll('"', '')}`,
  )
  await run('run')
}, HOOK_TIMEOUT_MS)

afterAll(async () => {
  await trial?.connector.kill()
  await trial?.stop()
  await otlp?.stop()
  for (const server of [pullServer, registryServer, apiServer]) await server.stop()
})

/** Where in which output a canary was found. */
const findCanary = (canary: string, exceptIn: RegExp = /(?!)/): string[] =>
  [...outputs].flatMap(([name, text]) => {
    if (exceptIn.test(name)) return []
    const form = formsOf(canary).find((each) => text.includes(each))
    if (form === undefined) return []
    const at = text.indexOf(form)
    return [`${name}: …${text.slice(Math.max(0, at - 100), at + form.length + 20)}…`]
  })

describe('What the connector shows', () => {
  it('was collected from every output', () => {
    // The journal is empty in the end, and its list with it.
    const empty = [...outputs].filter(([, text]) => text.trim() === '').map(([name]) => name)
    expect(empty.filter((name) => !name.startsWith('journal list'))).toEqual([])
    expect(outputs.get('standard output and standard error of run')).toContain('…')
    expect(outputs.get('/status.json')).toContain('…')
  })

  it.each(Object.entries(SECRETS))('holds the secret %s in no form', (_name, secret) => {
    expect(findCanary(secret)).toEqual([])
  })

  it.each(Object.entries(USERS))('repeats the user name of the %s nowhere', (_name, user) => {
    // A body that is asked for is shown as it was received, but for secrets.
    expect(findCanary(user, /--personal-data plain/)).toEqual([])
  })

  it.each(Object.entries(PEOPLE))('holds the personal data "%s" only where it was asked for', (_name, value) => {
    // A dead letter is what was received, for those who may read the topic.
    expect(findCanary(value, /--personal-data plain|^detail and request of dead letters$/)).toEqual([])
  })

  it('has no line that an endless error text has made long', () => {
    // A slow machine polls more often meanwhile, so the number of lines says nothing. On the level trace, kafkajs writes whole
    // answers of the broker, whose length is the number of its topics.
    const longest = (output: string): number =>
      Math.max(
        ...outputs
          .get(output)!
          .split('\n')
          .filter((line) => !/^\{"level":"trace".*"kafka":"/.test(line))
          .map(({ length }) => length),
      )
    expect(longest('standard output and standard error of run')).toBeLessThan(20_000)
    expect(longest('detail and request of dead letters')).toBeLessThan(20_000)
    expect(outputs.get('/status.json')!.length).toBeLessThan(400_000)
  })

  it('is in files that only their owner may read', async () => {
    const files = await readdir(join(trial.folder, 'journal'), { recursive: true, withFileTypes: true })
    const modes = await Promise.all(
      files.map(async (file) => [file.name, (await stat(join(file.parentPath, file.name))).mode & 0o077] as const),
    )
    expect(modes.filter(([name, mode]) => mode !== 0 && !name.startsWith('lock.'))).toEqual([])
  })
})
