import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { silent } from '../../progress.js'
import type { Progress } from '../../progress.js'
import { freePort } from '../../ports.js'
import { workDirectory } from '../../work-directory.js'
import { settledValue } from '../settled-value.js'
import type { Stack, StackOptions } from '../types.js'
import { prepareBroker } from './broker.js'
import { allCached, apicurioJar, APICURIO_VERSION, kafkaDistribution, KAFKA_VERSION } from './distributions.js'
import type { KafkaDistribution } from './distributions.js'
import { Downloads } from './downloads.js'
import { findJava, isMavenAvailable } from './java.js'
import { prepareRegistry } from './registry.js'
import type { PreparedRegistry } from './registry.js'
import { PortConflictError } from './server.js'
import type { JvmServer } from './server.js'

const PORT_ATTEMPTS = 3

export interface Jvm {
  /** The Java command. */
  readonly java: string
}

/** A usable Java, with Maven if something must be downloaded; or a phrase that names what is missing. */
export async function findJvm(): Promise<Jvm | { missing: string }> {
  const java = await findJava()
  if ('missing' in java) return java
  if (!allCached() && !(await isMavenAvailable())) return { missing: `Java ${java.major} was found, but no Maven` }
  return { java: java.command }
}

/**
 * Starts broker and registry as two JVMs on 127.0.0.1.
 * @throws StackError when a download fails, or a server does not become ready
 */
export async function startOnJvm(jvm: Jvm, options: StackOptions, progress: Progress = silent): Promise<Stack> {
  // Both at the same time, because Maven mostly waits for one small answer after another.
  const downloads = new Downloads(progress)
  const got = await Promise.allSettled([kafkaDistribution(jvm.java, downloads), apicurioJar(downloads)])
  downloads.end()
  const kafka = settledValue(got[0])
  const jar = settledValue(got[1])
  const folder = await workDirectory('stack')

  const startedAt = Date.now()
  progress.step(`Starting Kafka ${KAFKA_VERSION} and Apicurio Registry ${APICURIO_VERSION} (logs in ${folder}) ...`)
  const starts = await Promise.allSettled([
    startBroker(jvm.java, kafka, folder, options),
    startRegistry(jvm.java, jar, folder),
  ])
  const [brokerStart, registryStart] = starts
  const stop = async (): Promise<void> => {
    if (brokerStart.status === 'fulfilled') await brokerStart.value.server.kill()
    if (registryStart.status === 'fulfilled') await registryStart.value.server.kill()
    await rm(folder, { recursive: true, force: true })
  }
  if (starts.some((start) => start.status === 'rejected')) await stop()
  const broker = settledValue(brokerStart)
  const registry = settledValue(registryStart)
  progress.step(
    `  up in ${((Date.now() - startedAt) / 1_000).toFixed(1)} s: Kafka ${broker.address}, registry ${registry.url}`,
  )

  return {
    brokers: [broker.address],
    registryUrl: registry.url,
    origin: 'jvm',
    broker: {
      kill: () => broker.server.kill(),
      restart: () => broker.server.start(),
      pause: async () => broker.server.signal('SIGSTOP'),
      resume: async () => broker.server.signal('SIGCONT'),
    },
    registry: {
      stop: () => registry.server.kill(),
      start: async ({ empty = false } = {}) => {
        if (empty) {
          await registry.server.kill()
          await registry.forget()
        }
        await registry.server.start()
      },
    },
    stop,
  }
}

async function startBroker(
  java: string,
  distribution: KafkaDistribution,
  folder: string,
  options: StackOptions,
): Promise<{ server: JvmServer; address: string }> {
  return retryOnPortConflict(async (attempt) => {
    const own = join(folder, `broker-${attempt}`)
    await mkdir(own)
    const [port, controllerPort] = [await freePort(), await freePort()]
    const properties = options.brokerProperties ?? {}
    const server = await prepareBroker({ java, distribution, folder: own, port, controllerPort, properties })
    await server.start()
    return { server, address: `127.0.0.1:${port}` }
  })
}

async function startRegistry(java: string, jar: string, folder: string): Promise<PreparedRegistry> {
  return retryOnPortConflict(async (attempt) => {
    const own = join(folder, `registry-${attempt}`)
    await mkdir(own)
    const registry = prepareRegistry({ java, jar, folder: own, port: await freePort() })
    await registry.server.start()
    return registry
  })
}

/** Repeats the start with another port if another process has taken the port meanwhile. */
async function retryOnPortConflict<T>(start: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(attempt)
    } catch (error) {
      if (attempt >= PORT_ATTEMPTS || !(error instanceof PortConflictError)) throw error
    }
  }
}
