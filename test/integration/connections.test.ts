/**
 * Connections to peers that demand what companies demand: a broker on an IPv6 address with TLS of a private authority that takes
 * signed OAuth tokens or those of MSK IAM, a registry behind mutual TLS that verifies OAuth tokens, a token endpoint with mutual
 * TLS, and a real HTTP proxy with a password.
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { listProblems } from '../../dev/oracle/oracle.js'
import { freePort } from '../../dev/ports.js'
import { silent } from '../../dev/progress.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { prepareBroker } from '../../dev/stack/jvm/broker.js'
import { apicurioJar, kafkaDistribution } from '../../dev/stack/jvm/distributions.js'
import { Downloads } from '../../dev/stack/jvm/downloads.js'
import { findJava } from '../../dev/stack/jvm/java.js'
import { prepareRegistry } from '../../dev/stack/jvm/registry.js'
import { startTrial, type Trial, type TrialConfiguration, untilPublished } from '../../dev/trial.js'
import { workDirectory } from '../../dev/work-directory.js'
import { systemClock } from '../../src/core/clock.js'
import { fetchTopicPartitions } from '../../src/kafka/topics.js'
import type { KafkaSettings } from '../../src/kafka/settings.js'
import { RegistryClient, type RegistrySettings } from '../../src/registry/registry-client.js'
import { type Identity, PrivateAuthority } from '../support/certificates.js'
import { publisherSettings } from '../support/publisher-settings.js'
import { RecordingLog } from '../support/recording-observers.js'
import { findTinyproxy, startTinyproxy, type Tinyproxy } from '../support/tinyproxy.js'
import {
  AUDIENCE,
  CLIENT_ID,
  CLIENT_SECRET,
  SCOPE,
  startTokenServer,
  type TokenServer,
} from '../support/token-server.js'

const run = promisify(execFile)
const HAS_JVM = inject('stackOrigin') === 'jvm'
const TINYPROXY = HAS_JVM ? await findTinyproxy() : undefined
const PROXY_USER = { name: 'connector', password: 'proxy-secret' }
/** Shorter than a test, so that connections authenticate again, and shorter than the margin of renewal. */
const TOKEN_SECONDS = 20

let authority: PrivateAuthority
let client: Identity
let tokens: TokenServer
let brokers: Awaited<ReturnType<typeof startBroker>>
let registry: Awaited<ReturnType<typeof startRegistry>>
let proxy: Tinyproxy | undefined
let trial: Trial | undefined

beforeAll(async () => {
  if (!HAS_JVM) return
  authority = await PrivateAuthority.create()
  const server = await authority.issue('server', 'IP:127.0.0.1', 'IP:::1')
  client = await authority.issue('sms-connector')
  tokens = await startTokenServer(server, authority.ca, TOKEN_SECONDS)
  ;[brokers, registry] = await Promise.all([startBroker(server), startRegistry(server)])
  if (TINYPROXY !== undefined) proxy = await startTinyproxy(TINYPROXY, PROXY_USER)
}, 180_000)

afterAll(async () => {
  await trial?.stop()
  await proxy?.stop()
  await registry?.stop()
  await brokers?.stop()
  await tokens?.stop()
  await authority?.remove()
})

const oauthClient = () => ({
  tokenEndpoint: tokens.tokenEndpoint,
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  scope: SCOPE,
  tokenEndpointTls: { ca: authority.ca, ...client },
})

/** A broker whose listeners on ::1 demand TLS and a token, and a plain one for the test. */
async function startBroker(server: Identity) {
  const java = await findJava()
  if ('missing' in java) throw new Error(java.missing)
  const downloads = new Downloads(silent)
  const distribution = await kafkaDistribution(java.command, downloads)
  downloads.end()
  const folder = await workDirectory('stack')
  const classes = join(folder, 'classes')
  await mkdir(classes)
  const source = join(classes, 'MskIamValidator.java')
  await copyFile(new URL('../support/MskIamValidator.java', import.meta.url), source)
  await run('javac', ['-cp', distribution.classpath, '-d', classes, source])
  const keystore = join(folder, 'server.pem')
  // Kafka reads a key in PKCS#8, as OpenSSL writes it, before its certificate.
  await writeFile(keystore, `${server.key}${server.cert}`)
  const [port, controllerPort, oauthPort, mskPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const listeners = `PLAINTEXT://127.0.0.1:${port},OAUTH://[::1]:${oauthPort},MSK://[::1]:${mskPort}`
  const jaas = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required'
  const secured = (listener: string, handler: string, jaasOptions = ''): Record<string, string> => ({
    [`listener.name.${listener}.ssl.keystore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.keystore.location`]: keystore,
    [`listener.name.${listener}.sasl.enabled.mechanisms`]: 'OAUTHBEARER',
    [`listener.name.${listener}.oauthbearer.sasl.jaas.config`]: `${jaas}${jaasOptions};`,
    [`listener.name.${listener}.oauthbearer.sasl.server.callback.handler.class`]: handler,
  })
  const broker = await prepareBroker({
    java: java.command,
    distribution,
    folder,
    port,
    controllerPort,
    classes,
    jvmOptions: [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${tokens.issuer}/jwks`],
    properties: {
      listeners: `${listeners},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': listeners,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OAUTH:SASL_SSL,MSK:SASL_SSL',
      'inter.broker.listener.name': 'PLAINTEXT',
      'connections.max.reauth.ms': '10000',
      ...secured('oauth', 'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler'),
      'listener.name.oauth.sasl.oauthbearer.jwks.endpoint.url': `${tokens.issuer}/jwks`,
      'listener.name.oauth.sasl.oauthbearer.expected.audience': AUDIENCE,
      'listener.name.oauth.sasl.oauthbearer.expected.issuer': tokens.issuer,
      ...secured('msk', 'MskIamValidator'),
    },
  })
  await broker.start()
  return {
    backDoor: `127.0.0.1:${port}`,
    oauth: `[::1]:${oauthPort}`,
    msk: `[::1]:${mskPort}`,
    stop: async () => {
      await broker.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Apicurio, which verifies tokens itself, behind mutual TLS on ::1; and a way around both for the test. */
async function startRegistry(server: Identity) {
  const java = await findJava()
  if ('missing' in java) throw new Error(java.missing)
  const downloads = new Downloads(silent)
  const jar = await apicurioJar(downloads)
  downloads.end()
  const folder = await workDirectory('stack')
  const apicurio = prepareRegistry({
    java: java.command,
    jar,
    folder,
    port: await freePort(),
    properties: {
      'quarkus.oidc.tenant-enabled': 'true',
      'quarkus.oidc.auth-server-url': tokens.issuer,
      'quarkus.oidc.client-id': CLIENT_ID,
      'quarkus.oidc.token.audience': AUDIENCE,
      'apicurio.auth.enabled': 'true',
    },
  })
  await apicurio.server.start()
  const { origin, pathname } = new URL(apicurio.url)
  const requests: string[] = []
  const forward = (authorizationFor: (given: string | undefined) => Promise<string | undefined>): RequestListener => {
    return (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        void (async () => {
          const { method = 'GET', url = '/' } = request
          const authorization = await authorizationFor(request.headers.authorization)
          const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) }
          const body = method === 'GET' ? null : Buffer.concat(chunks)
          const answer = await fetch(`${origin}${url}`, { method, body, headers })
          requests.push(`${answer.status} ${method} ${url}`)
          response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
        })().catch(() => response.writeHead(502).end())
      })
    }
  }
  const secure = createServer(
    { ...server, ca: authority.ca, requestCert: true, rejectUnauthorized: true },
    forward((given) => Promise.resolve(given)),
  )
  const backDoor = createHttpServer(forward(async () => `Bearer ${await freshToken()}`))
  await new Promise<void>((resolve) => secure.listen(0, '::1', resolve))
  await new Promise<void>((resolve) => backDoor.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://[::1]:${(secure.address() as AddressInfo).port}${pathname}`,
    backDoor: `http://127.0.0.1:${(backDoor.address() as AddressInfo).port}${pathname}`,
    requests,
    stop: async () => {
      for (const each of [secure, backDoor]) {
        each.closeAllConnections()
        await new Promise((resolve) => each.close(resolve))
      }
      await apicurio.server.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const freshToken = async (): Promise<string> => {
  const credentials = Buffer.from(`${CLIENT_ID}:${encodeURIComponent(CLIENT_SECRET)}`).toString('base64')
  const answer = await fetch(`${tokens.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: `grant_type=client_credentials&scope=${SCOPE}`,
  })
  return ((await answer.json()) as { access_token: string }).access_token
}

const topicsOf = (broker: string, sasl: NonNullable<KafkaSettings['sasl']>): Promise<unknown> => {
  const settings = publisherSettings([broker], 'connections', { tls: { ca: authority.ca }, sasl })
  return fetchTopicPartitions(settings, [], systemClock, new RecordingLog())
}

describe.runIf(HAS_JVM)('A broker on an IPv6 address', () => {
  it('takes the signed token of a client, by TLS of a private authority', async () => {
    await expect(topicsOf(brokers.oauth, { mechanism: 'oauthbearer', ...oauthClient() })).resolves.toBeDefined()
  })

  it('takes a token of MSK IAM', async () => {
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIDEXAMPLE'
    process.env['AWS_SECRET_ACCESS_KEY'] = 'secret'
    try {
      await expect(topicsOf(brokers.msk, { mechanism: 'aws-msk-iam', region: 'eu-central-1' })).resolves.toBeDefined()
      await expect(topicsOf(brokers.msk, { mechanism: 'aws-msk-iam', region: 'eu-west-1' })).rejects.toMatchObject({
        code: 'KAFKA_REFUSED',
        message: expect.stringContaining('the broker refuses the token: {"status":"invalid_token"}') as string,
      })
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID']
      delete process.env['AWS_SECRET_ACCESS_KEY']
    }
  })

  it('is not used without a token, and the key of what is wrong is named', async () => {
    const sasl = { mechanism: 'oauthbearer' as const, ...oauthClient() }
    await expect(topicsOf(brokers.oauth, { ...sasl, clientSecret: 'wrong' })).rejects.toMatchObject({
      code: 'KAFKA_REFUSED',
      message: expect.stringContaining('(invalid_client) without an access_token; check kafka.sasl.clientId') as string,
    })
    await expect(topicsOf(brokers.oauth, { ...sasl, tokenEndpointTls: {} })).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: expect.stringContaining(
        "authority that issued the server's certificate to kafka.sasl.tokenEndpointTls.ca",
      ) as string,
    })
    await expect(topicsOf(brokers.oauth, { ...sasl, tokenEndpointTls: { ca: authority.ca } })).rejects.toMatchObject({
      message: expect.stringContaining('check kafka.sasl.tokenEndpointTls.cert') as string,
    })
  })
})

describe.runIf(HAS_JVM)('A registry behind mutual TLS that verifies tokens', () => {
  const ask = async (changes: Partial<Record<keyof RegistrySettings, unknown>> = {}): Promise<unknown> => {
    const settings = {
      url: registry.url,
      auth: oauthClient(),
      tls: { ca: authority.ca, ...client },
      ...changes,
    } as RegistrySettings
    const api = new RegistryClient(settings)
    try {
      return await api.listVersions('absent')
    } finally {
      await api.close()
    }
  }

  it('answers', async () => {
    await expect(ask()).resolves.toEqual([])
  })

  it.each([
    ['a client certificate', () => ({ tls: { ca: authority.ca } }), 'REGISTRY_UNREACHABLE', 'check registry.tls.cert'],
    ['its authority', () => ({ tls: { ...client } }), 'REGISTRY_UNREACHABLE', 'to registry.tls.ca'],
    ['a token', () => ({ auth: undefined }), 'REGISTRY_REFUSED', 'check registry.auth'],
    [
      'the right secret',
      () => ({ auth: { ...oauthClient(), clientSecret: 'wrong' } }),
      'REGISTRY_REFUSED',
      'check registry.auth.clientId, clientSecret and scope',
    ],
  ])('is not reached without %s, and the key is named', async (_, changes, code, advice) => {
    await expect(ask(changes())).rejects.toMatchObject({ code, message: expect.stringContaining(advice) as string })
  })

  it('is asked once more with a new token when it refuses the one that is kept', async () => {
    const authorizations: (string | undefined)[] = []
    const gate = createServer(await authority.issue('gate', 'IP:127.0.0.1'), (request, response) => {
      authorizations.push(request.headers.authorization)
      const status = authorizations.length === 1 ? 401 : 200
      response.writeHead(status, { 'content-type': 'application/json' }).end('[]')
    })
    await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve))
    try {
      const url = `https://127.0.0.1:${(gate.address() as AddressInfo).port}`
      await expect(ask({ url, tls: { ca: authority.ca } })).resolves.toEqual([])
      expect(authorizations).toEqual([expect.stringMatching(/^Bearer /), expect.stringMatching(/^Bearer /)])
      expect(authorizations[1]).not.toBe(authorizations[0])
    } finally {
      gate.closeAllConnections()
      gate.close()
    }
  })
})

describe.runIf(HAS_JVM && TINYPROXY !== undefined)('A connector between all of them', () => {
  it('publishes each item once: queue, registry and token endpoint through a proxy, with tokens that expire meanwhile', async () => {
    const started = await startTrial(
      { brokers: [brokers.backDoor], registryUrl: registry.backDoor },
      (configuration: TrialConfiguration) => {
        const files = { ca: 'ca.pem', cert: 'client.pem', key: 'client.key' }
        const auth = { ...oauthClient(), clientSecret: '${CLIENT_SECRET}', tokenEndpointTls: files }
        configuration.kafka = {
          ...configuration.kafka,
          brokers: [brokers.oauth],
          tls: { ca: 'ca.pem' },
          sasl: { mechanism: 'oauthbearer', ...auth },
        }
        configuration.registry = { url: registry.url, tls: files, auth }
        configuration['proxy'] = { url: proxy?.url, username: PROXY_USER.name, password: '${PROXY_PASSWORD}' }
      },
    )
    trial = started
    const { folder, connector, mtarget } = started
    await writeFile(join(folder, 'ca.pem'), authority.ca)
    await writeFile(join(folder, 'client.pem'), client.cert)
    await writeFile(join(folder, 'client.key'), client.key)
    const data = new ProviderData(77)
    mtarget.enqueue(data.mtargetReceipts(400))
    await connector.start({ env: { CLIENT_SECRET, PROXY_PASSWORD: PROXY_USER.password } })
    await untilPublished(started)
    const before = tokens.counts.tokens
    const endAt = Date.now() + (TOKEN_SECONDS + 5) * 1_000
    while (Date.now() < endAt) {
      mtarget.enqueue(data.mtargetReceipts(50))
      await untilPublished(started)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    await untilPublished(started)
    expect(tokens.counts.tokens).toBeGreaterThan(before)
    const verdict = started.audit(await started.readAll())
    expect(listProblems(verdict)).toEqual([])
    const log = (await proxy?.log()) ?? ''
    const ports = [mtarget.url, registry.url, tokens.tokenEndpoint].map((url) => new URL(url).host)
    for (const host of ports) expect(log).toContain(`CONNECT ${host}`)
    const problems = (await started.log()).filter(({ level }) => level === 'error' || level === 'warn')
    // Whether the platform has binaries for the lock of the journal says nothing about connections.
    expect(problems.filter(({ event }) => event !== 'journal-lock-limited')).toEqual([])
  }, 120_000)
})
