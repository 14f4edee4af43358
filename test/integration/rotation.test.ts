/**
 * Every secret and every certificate is rotated under load, against a broker, a registry, providers and callers that demand
 * them. What was handed out is counted from outside: nothing is lost, doubled or refused.
 */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { MTARGET_SOURCE, SEVEN_SOURCE } from '../../dev/oracle/expected-records.js'
import { LoadGenerator } from '../../dev/oracle/load-generator.js'
import { listProblems } from '../../dev/oracle/oracle.js'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import { SevenCallbacks } from '../../dev/simulators/seven-callbacks.js'
import { startTrial, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { type BasicRegistry, startBasicRegistry } from '../chart/support/basic-registry.js'
import { type SecureBroker, startSecureBroker, USER, PASSWORD } from '../chart/support/secure-broker.js'

const run = promisify(execFile)
/** The broker of this test demands more than that of a container or of the environment. */
const HAS_JVM = inject('stackOrigin') === 'jvm'

interface KeyPair {
  readonly cert: string
  readonly key: string
}

let broker: SecureBroker
let registry: BasicRegistry
let seven: SevenSimulator
let trial: Trial | undefined

beforeAll(async () => {
  if (!HAS_JVM) return
  broker = await startSecureBroker()
  registry = await startBasicRegistry('schemas', 'registry-password-0', broker.identity)
  seven = await SevenSimulator.start({ apiKey: 'api-key-0' })
  const any = { name: '*', patternType: 'literal' }
  await broker.allow([
    { resource: { type: 'topic', ...any }, operations: ['Create', 'Describe', 'Read', 'Write'] },
    { resource: { type: 'transactionalId', ...any }, operations: ['Describe', 'Write'] },
    { resource: { type: 'group', ...any }, operations: ['Describe', 'Read'] },
  ])
}, 120_000)

afterAll(async () => {
  await trial?.stop()
  await seven?.stop()
  await registry?.stop()
  await broker?.stop()
})

describe.runIf(HAS_JVM)('A rotation under load', () => {
  it('of every secret and certificate loses, doubles and refuses nothing', async () => {
    const started = await startTrial(
      { brokers: [broker.backDoor], registryUrl: registry.backDoor },
      (configuration) => {
        configuration.kafka = {
          ...configuration.kafka,
          brokers: [broker.address],
          tls: { ca: 'secrets/kafka-ca' },
          sasl: { mechanism: 'scram-sha-512', username: USER, password: '${file:secrets/kafka-password}' },
        }
        configuration.registry = {
          url: registry.url,
          auth: { username: 'schemas', password: '${file:secrets/registry-password}' },
        }
        configuration.callbacks['tls'] = {
          cert: 'secrets/server-cert',
          key: 'secrets/server-key',
          clientCa: 'secrets/callers',
        }
        configuration.admin['token'] = ['${file:secrets/admin-1}', '${file:secrets/admin-2}']
        configuration.sources[MTARGET_SOURCE].pull['password'] = '${file:secrets/pull-password}'
        configuration.sources[SEVEN_SOURCE].callback = {
          token: ['${file:secrets/token-1}', '${file:secrets/token-2}'],
          basic: { username: 'seven', password: ['${file:secrets/basic-1}', '${file:secrets/basic-2}'] },
          signingKey: ['${file:secrets/signing-1}', '${file:secrets/signing-2}'],
          publicUrl: `https://127.0.0.1:${configuration.callbacks['port'] as number}`,
          answer: { body: 'OK' },
        }
        configuration.sources['seven-log'] = {
          provider: 'seven',
          callback: { token: 'token-of-the-log' },
          reconcile: {
            url: seven.url,
            apiKey: '${file:secrets/api-key}',
            every: '200ms',
            log: { every: '200ms' },
            requestsPerSecond: 20,
          },
        }
      },
    )
    trial = started
    const { connector, folder, mtarget } = started
    const port = connector.addresses.callbacksPort
    const certificate = certificates(folder)
    const server0 = await certificate('server', 'subjectAltName=IP:127.0.0.1')
    const caller0 = await certificate('caller')
    const trusted = [server0.cert]

    await mkdir(join(folder, 'secrets'))
    /** Replaces files one after the other, each by a rename, as a tool for secrets does. */
    const put = async (contents: Readonly<Record<string, string>>): Promise<void> => {
      for (const [name, content] of Object.entries(contents)) {
        await writeFile(join(folder, `next-${name}`), content)
        await rename(join(folder, `next-${name}`), join(folder, 'secrets', name))
      }
    }
    const reloads = async (): Promise<number> =>
      (await connector.log()).filter(({ event }) => event === 'configuration-reloaded').length
    /** Replaces secrets, and resolves when the connector uses them. */
    const rotate = async (contents: Readonly<Record<string, string>>): Promise<void> => {
      const before = await reloads()
      await put(contents)
      await until(async () => (await reloads()) > before, 20_000)
    }
    await put({
      'kafka-ca': broker.authority,
      'kafka-password': PASSWORD,
      'registry-password': 'registry-password-0',
      'server-cert': server0.cert,
      'server-key': server0.key,
      callers: caller0.cert,
      'admin-1': 'admin-token-0',
      'admin-2': 'admin-token-0',
      'pull-password': mtarget.password,
      'token-1': 'callback-token-0',
      'token-2': 'callback-token-0',
      'basic-1': 'basic-password-0',
      'basic-2': 'basic-password-0',
      'signing-1': 'signing-key-0',
      'signing-2': 'signing-key-0',
      'api-key': 'api-key-0',
    })
    await connector.start({ env: { NODE_EXTRA_CA_CERTS: await written(folder, 'registry-ca', broker.authority) } })

    let adminToken = 'admin-token-0'
    const metrics = async (): Promise<string> => {
      const answer = await fetch(`${connector.adminUrl}/metrics`, {
        headers: { authorization: `Bearer ${adminToken}` },
      })
      expect(answer.status).toBe(200)
      return answer.text()
    }
    const isPublished = async (): Promise<boolean> => /^dlrmo_journal_entries 0$/m.test(await metrics())

    /** What callers use at the moment. */
    const used = { token: 'callback-token-0', basic: 'basic-password-0', signingKey: 'signing-key-0', pair: caller0 }
    const all: SevenCallbacks[] = []
    const newCallers = (): SevenCallbacks => {
      const callers = new SevenCallbacks({
        url: `https://127.0.0.1:${port}/callbacks/${SEVEN_SOURCE}/${used.token}`,
        headers: { authorization: `Basic ${Buffer.from(`seven:${used.basic}`).toString('base64')}` },
        signingKey: used.signingKey,
        tls: { ca: trusted, ...used.pair },
      })
      all.push(callers)
      return callers
    }
    let callers = newCallers()
    const load = new LoadGenerator(mtarget, () => callers, { seed: 41, callers: 4, rowsPerBatch: 20 })
    load.start()
    /** Waits until the callers of before have their answers, and pages and transactions follow the change. */
    const settle = async (): Promise<void> => {
      const outcomes = callers.outcomes.length
      const pages = mtarget.answers.length
      await until(() => callers.outcomes.length > outcomes + 20 && mtarget.answers.length > pages + 3, 20_000)
    }
    /** Waits for transactions after the change. */
    const untilCommitted = async (): Promise<void> => {
      const commits = async (): Promise<number> =>
        Number(/^dlrmo_publish_seconds_count (\d+)$/m.exec(await metrics())?.[1])
      const before = await commits()
      await until(async () => (await commits()) > before + 2, 20_000)
    }
    await settle()
    await untilCommitted()

    // What callers prove themselves with: the new secret in front, then the callers, then the old secret goes.
    for (const [name, key] of [
      ['token', 'callback-token'],
      ['basic', 'basic-password'],
      ['signing', 'signing-key'],
    ] as const) {
      await rotate({ [`${name}-1`]: `${key}-1` })
      used[name === 'signing' ? 'signingKey' : name] = `${key}-1`
      callers = newCallers()
      await settle()
      await rotate({ [`${name}-2`]: `${key}-1` })
      await settle()
    }
    await rotate({ 'admin-1': 'admin-token-1' })
    await metrics()
    adminToken = 'admin-token-1'
    await rotate({ 'admin-2': 'admin-token-1' })
    expect((await fetch(`${connector.adminUrl}/metrics`, { headers: bearer('admin-token-0') })).status).toBe(401)

    // What the connector proves itself with, where the other side accepts two for a while.
    mtarget.setPasswords(mtarget.password, 'pull-password-1')
    await rotate({ 'pull-password': 'pull-password-1' })
    await settle()
    mtarget.setPasswords('pull-password-1')
    await settle()
    seven.setApiKeys('api-key-0', 'api-key-1')
    await rotate({ 'api-key': 'api-key-1' })
    const queries = seven.requests.length
    await until(() => seven.requests.length > queries + 3)
    seven.setApiKeys('api-key-1')
    registry.setPasswords('registry-password-0', 'registry-password-1')
    await rotate({ 'registry-password': 'registry-password-1' })
    await untilCommitted()
    registry.setPasswords('registry-password-1')
    await untilCommitted()

    // The broker replaces the password at once, and keeps the connections that are open.
    await broker.setPassword('kafka-password-1')
    await rotate({ 'kafka-password': 'kafka-password-1' })
    await untilCommitted()

    // Certificates of the broker: both are trusted, then the new one alone.
    const renewed = await broker.renewCertificate()
    await rotate({ 'kafka-ca': `${broker.authority}\n${renewed}` })
    await untilCommitted()
    await rotate({ 'kafka-ca': renewed })
    await untilCommitted()

    // Client certificates in place of a password, and then another one.
    const before = await reloads()
    const { key, certificate: cert } = broker.user
    await put({ 'kafka-cert': cert, 'kafka-key': key })
    await started.configure((configuration) => {
      delete configuration.kafka['sasl']
      configuration.kafka['brokers'] = [broker.mutualAddress]
      configuration.kafka['tls'] = { ca: 'secrets/kafka-ca', cert: 'secrets/kafka-cert', key: 'secrets/kafka-key' }
    })
    await until(async () => (await reloads()) > before, 20_000)
    await untilCommitted()
    const next = await broker.makeUser()
    await broker.trustUsers(cert, next.certificate)
    await rotate({ 'kafka-cert': next.certificate, 'kafka-key': next.key })
    await untilCommitted()
    await broker.trustUsers(next.certificate)
    await untilCommitted()

    // The certificate of the callbacks server, and the authorities of its callers.
    const server1 = await certificate('server', 'subjectAltName=IP:127.0.0.1')
    trusted.push(server1.cert)
    callers = newCallers()
    await settle()
    await rotate({ 'server-cert': server1.cert, 'server-key': server1.key })
    expect(await certificateOf(port, used.pair)).toBe(fingerprintOf(server1))
    const caller1 = await certificate('caller')
    await rotate({ callers: `${caller0.cert}\n${caller1.cert}` })
    used.pair = caller1
    callers = newCallers()
    await settle()
    await rotate({ callers: caller1.cert })
    await settle()
    await expect(certificateOf(port, caller0)).rejects.toThrow()

    await load.stop()
    await until(async () => mtarget.isDrained && (await isPublished()), 60_000)
    const text = await metrics()
    expect(await connector.terminate()).toBe(0)
    for (const each of all) each.stop()

    const outcomes = all.flatMap((each) => each.outcomes)
    expect(outcomes.filter(({ status }) => status !== 200)).toEqual([])
    expect(mtarget.answers.filter(({ outcome }) => outcome !== 'page')).toEqual([])
    expect(text).not.toMatch(/^dlrmo_reconcile_requests_total\{.*outcome="refused"\} [1-9]/m)
    expect(text).not.toMatch(/^dlrmo_callbacks_refused_total\{source="seven-main".*\} [1-9]/m)
    expect(registry.turnedAway()).toBe(0)
    const verdict = started.audit(await started.readAll(), { callbacks: all })
    expect(verdict.total.owed).toBeGreaterThan(1_000)
    expect(listProblems(verdict)).toEqual([])
    const log = await readFile(connector.logFile, 'utf8')
    expect(log).not.toMatch(
      /callback-token|basic-password|signing-key|admin-token|pull-password|api-key-|registry-password-|kafka-password-/,
    )
    console.info(
      `rotated under load: ${await reloads()} reloads, ${outcomes.length} callbacks, ` +
        `${mtarget.answers.length} pages, ${verdict.total.owed} items owed`,
    )
  }, 300_000)
})

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

async function written(folder: string, name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

/** Returns a function that makes a key and a certificate, which is its own authority. */
function certificates(folder: string): (name: string, extension?: string) => Promise<KeyPair> {
  let count = 0
  return async (name, extension) => {
    count++
    const [key, cert] = [join(folder, `${name}-${count}.key`), join(folder, `${name}-${count}.crt`)]
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}-${count}`, '-keyout', key, '-out', cert],
      ...(extension === undefined ? [] : ['-addext', extension]),
    ])
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') }
  }
}

/** The fingerprint of the certificate that a new connection gets. Rejects if the server refuses the caller. */
const certificateOf = (port: number, caller: KeyPair): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...caller }, () => {
      const { fingerprint256 } = socket.getPeerCertificate()
      // With TLS 1.3 the refusal of a client certificate comes after the handshake.
      socket.write('GET /callbacks/nobody HTTP/1.1\r\nhost: x\r\n\r\n')
      socket.once('data', () => {
        socket.destroy()
        resolve(fingerprint256)
      })
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
  })

const fingerprintOf = ({ cert }: KeyPair): string => new X509Certificate(cert).fingerprint256
