import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, ResourcePatternTypes, logLevel } from 'kafkajs'
import type { AclEntry } from 'kafkajs'
import { freePort } from '../../../dev/ports.js'
import { prepareBroker } from '../../../dev/stack/jvm/broker.js'
import { kafkaDistribution } from '../../../dev/stack/jvm/distributions.js'
import { Downloads } from '../../../dev/stack/jvm/downloads.js'
import { findJava } from '../../../dev/stack/jvm/java.js'
import { silent } from '../../../dev/progress.js'
import { until } from '../../../dev/wait.js'
import { workDirectory } from '../../../dev/work-directory.js'

const run = promisify(execFile)
const KEYSTORE_PASSWORD = 'of-a-throw-away-key'

export const USER = 'connector'
export const PASSWORD = 'right'

/** As `tls.createServer` takes it. */
export interface Identity {
  readonly pfx: Buffer
  readonly passphrase: string
}

/** A rule as Strimzi's KafkaUser writes it. */
export interface Right {
  readonly resource: {
    readonly type: 'topic' | 'group' | 'transactionalId'
    readonly name: string
    readonly patternType: string
  }
  readonly operations: readonly (keyof typeof OPERATIONS)[]
}

/**
 * A real broker that lets nobody in but by TLS, and SASL or a certificate, and lets USER do what it was given rights for
 * and nothing else. Beside that it has a plain listener, on which the test may do anything.
 */
export interface SecureBroker {
  /** Of the listener that asks for credentials. */
  readonly address: string
  /** Of the listener that asks for a certificate. */
  readonly mutualAddress: string
  /** Of the plain one. */
  readonly backDoor: string
  /** In PEM; by it the broker's certificate is trusted. */
  readonly authority: string
  /** The broker's key and certificate, for other servers of 127.0.0.1. */
  readonly identity: Identity
  /** Key and certificate of USER, in PEM. */
  readonly user: { readonly key: string; readonly certificate: string }
  /** Replaces the SCRAM password of USER. Connections that are open stay open. */
  setPassword(password: string): Promise<void>
  /** Lets in exactly the clients with these certificates, in PEM, on the listener that asks for one. */
  trustUsers(...certificates: readonly string[]): Promise<void>
  /** Gives the broker another key and certificate. Resolves to the certificate, in PEM, by which it is trusted. */
  renewCertificate(): Promise<string>
  /** Another key and certificate of USER. */
  makeUser(): Promise<{ readonly key: string; readonly certificate: string }>
  allow(rights: readonly Right[]): Promise<void>
  forbid(): Promise<void>
  stop(): Promise<void>
}

export async function startSecureBroker(): Promise<SecureBroker> {
  const java = await findJava()
  if ('missing' in java) throw new Error(`A broker that demands credentials runs on a JVM: ${java.missing}.`)
  const downloads = new Downloads(silent)
  const distribution = await kafkaDistribution(java.command, downloads)
  downloads.end()
  const folder = await workDirectory('stack')
  const own = join(folder, 'broker')
  await mkdir(own)
  const authority = await makeCertificate(java.command, folder)
  const user = await makeUser(folder)
  const [port, controllerPort] = [await freePort(), await freePort()]
  const [securePort, mutualPort] = [await freePort(), await freePort()]
  const properties = secured({ port, controllerPort, securePort, mutualPort }, folder)
  const server = await prepareBroker({
    java: java.command,
    distribution,
    folder: own,
    port,
    controllerPort,
    properties,
  })
  const backDoor = `127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await server.kill()
    await rm(folder, { recursive: true, force: true })
  }
  const alter = async (entity: readonly string[], config: string): Promise<void> =>
    void (await run(java.command, [
      ...['-cp', distribution.classpath, 'kafka.admin.ConfigCommand', '--bootstrap-server', backDoor],
      ...['--alter', ...entity, '--add-config', config],
    ]))
  const setPassword = async (password: string): Promise<void> => {
    // One after the other: in one request Kafka takes a user once only.
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'])
      await alter(['--entity-type', 'users', '--entity-name', USER], `${mechanism}=[password=${password}]`)
  }
  const ofBroker = ['--entity-type', 'brokers', '--entity-name', '1']
  let files = 0
  try {
    await server.start()
    await setPassword(PASSWORD)
  } catch (error) {
    await stop()
    throw error
  }
  const admin = async <T>(work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> => {
    const client = new Kafka({ brokers: [backDoor], logLevel: logLevel.NOTHING }).admin()
    await client.connect()
    return work(client).finally(() => client.disconnect())
  }
  return {
    address: `127.0.0.1:${securePort}`,
    mutualAddress: `127.0.0.1:${mutualPort}`,
    backDoor,
    authority,
    identity: { pfx: await readFile(join(folder, 'keystore.p12')), passphrase: KEYSTORE_PASSWORD },
    user,
    setPassword,
    trustUsers: async (...certificates) => {
      files++
      // Kafka reads the file again because its name is another one.
      const file = join(folder, `users-${files}.pem`)
      await writeFile(file, certificates.join('\n'))
      await alter(ofBroker, `listener.name.ssl.ssl.truststore.location=${file}`)
    },
    renewCertificate: async () => {
      files++
      const renewed = await makeCertificate(java.command, folder, `keystore-${files}.p12`)
      const location = join(folder, `keystore-${files}.p12`)
      const { fingerprint256 } = new X509Certificate(renewed)
      const isServed = async (): Promise<boolean> => {
        const served = await Promise.all([securePort, mutualPort].map(servedCertificate))
        return served.every((each) => each === fingerprint256)
      }
      const properties = ['ssl', 'sasl_ssl'].flatMap((listener) => {
        const prefix = `listener.name.${listener}.ssl.keystore`
        return [`${prefix}.location=${location}`, `${prefix}.type=PKCS12`, `${prefix}.password=${KEYSTORE_PASSWORD}`]
      })
      await alter(ofBroker, properties.join(','))
      await until(isServed, 20_000)
      return renewed
    },
    makeUser: () => {
      files++
      return makeUser(folder, `user-${files}`)
    },
    allow: async (rights) => void (await admin((client) => client.createAcls({ acl: rights.flatMap(entries) }))),
    forbid: async () => void (await admin((client) => client.deleteAcls({ filters: [EVERY_RULE] }))),
    stop,
  }
}

/** The fingerprint of the certificate that a server of 127.0.0.1 shows. */
const servedCertificate = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
    socket.once('error', reject)
  })

interface Ports {
  readonly port: number
  readonly controllerPort: number
  readonly securePort: number
  readonly mutualPort: number
}

/** The controller and the plain listener know everybody as ANONYMOUS. */
function secured(ports: Ports, folder: string): Record<string, string> {
  const { port, controllerPort, securePort, mutualPort } = ports
  const listeners = `PLAINTEXT://127.0.0.1:${port},SASL_SSL://127.0.0.1:${securePort},SSL://127.0.0.1:${mutualPort}`
  const module = (name: string): string => `org.apache.kafka.common.security.${name} required`
  return {
    listeners: `${listeners},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': listeners,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': join(folder, 'keystore.p12'),
    'ssl.keystore.password': KEYSTORE_PASSWORD,
    'ssl.allow.dn.changes': 'true',
    'listener.name.ssl.ssl.client.auth': 'required',
    'listener.name.ssl.ssl.truststore.type': 'PEM',
    'listener.name.ssl.ssl.truststore.location': join(folder, 'user.pem'),
    'ssl.principal.mapping.rules': 'RULE:^CN=(.*)$/$1/',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl_ssl.plain.sasl.jaas.config': `${module('plain.PlainLoginModule')} user_${USER}="${PASSWORD}";`,
    'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${module('scram.ScramLoginModule')};`,
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${module('scram.ScramLoginModule')};`,
  }
}

/** A key for the broker in the key store, whose certificate is its own authority. Resolves to the certificate. */
async function makeCertificate(java: string, folder: string, keystore = 'keystore.p12'): Promise<string> {
  // Beside `java` where that is a path, else on the PATH as well.
  const keytool = java.includes('/') ? join(dirname(java), 'keytool') : 'keytool'
  const store = ['-keystore', join(folder, keystore), '-storepass', KEYSTORE_PASSWORD, '-alias', 'broker']
  // OpenSSL finds an authority by its name, so each has another one.
  const names = ['-dname', `CN=broker in ${keystore}`, '-ext', 'san=ip:127.0.0.1', '-ext', 'bc=ca:true']
  await run(keytool, ['-genkeypair', '-keyalg', 'EC', '-validity', '2', '-storetype', 'PKCS12', ...names, ...store])
  const file = join(folder, `${keystore}.pem`)
  await run(keytool, ['-exportcert', '-rfc', '-file', file, ...store])
  return readFile(file, 'utf8')
}

/** A key for USER in `<name>.key`, and a certificate of its own in `<name>.pem`. */
async function makeUser(folder: string, name = 'user'): Promise<SecureBroker['user']> {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  await run('openssl', ['req', '-x509', ...kind, '-subj', `/CN=${USER}`, '-keyout', key, '-out', certificate])
  return { key: await readFile(key, 'utf8'), certificate: await readFile(certificate, 'utf8') }
}

const OPERATIONS = {
  Create: AclOperationTypes.CREATE,
  Describe: AclOperationTypes.DESCRIBE,
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
}
const RESOURCES = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  transactionalId: AclResourceTypes.TRANSACTIONAL_ID,
}
const EVERY_RULE = {
  resourceType: AclResourceTypes.ANY,
  resourcePatternType: ResourcePatternTypes.ANY,
  operation: AclOperationTypes.ANY,
  permissionType: AclPermissionTypes.ANY,
}

function entries({ resource, operations }: Right): AclEntry[] {
  return operations.map((operation) => ({
    principal: `User:${USER}`,
    host: '*',
    operation: OPERATIONS[operation],
    permissionType: AclPermissionTypes.ALLOW,
    resourceType: RESOURCES[resource.type],
    resourceName: resource.name,
    resourcePatternType:
      resource.patternType === 'prefix' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
  }))
}
