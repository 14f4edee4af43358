import { getReaper } from 'testcontainers'
import type { ContainerRuntimeClient } from 'testcontainers'
import { freePort } from '../../ports.js'
import type { Progress } from '../../progress.js'
import { APICURIO_PATH, waitForBroker, waitForRegistry } from '../readiness.js'
import { settledValue } from '../settled-value.js'
import { TEST_BROKER_PROPERTIES } from '../broker-properties.js'
import type { Stack, StackOptions } from '../types.js'
import { ensureImage } from './image.js'
import { ContainerServer } from './server.js'

const KAFKA_IMAGE = process.env['DLRMO_KAFKA_IMAGE'] ?? 'apache/kafka:4.1.1'
const REGISTRY_IMAGE = process.env['DLRMO_REGISTRY_IMAGE'] ?? 'apicurio/apicurio-registry:3.0.9'
const REGISTRY_DATA = '/tmp/registry-data'

/**
 * Starts broker and registry as two containers. Returns undefined when an image cannot be pulled, because a daemon without
 * access to an image registry is as useless as none.
 * @throws StackError when a container does not become ready
 */
export async function startInDocker(
  runtime: ContainerRuntimeClient,
  options: StackOptions,
  progress: Progress,
): Promise<Stack | undefined> {
  try {
    await ensureImage(runtime, KAFKA_IMAGE, progress)
    await ensureImage(runtime, REGISTRY_IMAGE, progress)
    // The container that removes the others if this process is killed. Its image may be missing too.
    await getReaper(runtime)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    progress.step(`A Docker daemon runs, but an image cannot be pulled (${reason}); using a JVM instead.`)
    return undefined
  }

  progress.step(`Starting ${KAFKA_IMAGE} and ${REGISTRY_IMAGE} in Docker ...`)
  const startedAt = Date.now()
  const host = runtime.info.containerRuntime.host
  const [kafkaPort, registryPort] = [await freePort(), await freePort()]
  const address = `${host}:${kafkaPort}`
  const registryUrl = `http://${host}:${registryPort}${APICURIO_PATH}`

  const starts = await Promise.allSettled([
    ContainerServer.start(runtime, {
      name: 'Kafka',
      image: KAFKA_IMAGE,
      environment: kafkaEnvironment(address, options.brokerProperties ?? {}),
      containerPort: 9092,
      hostPort: kafkaPort,
      ready: (timeoutMs) => waitForBroker([address], timeoutMs),
    }),
    ContainerServer.start(runtime, {
      name: 'Apicurio Registry',
      image: REGISTRY_IMAGE,
      environment: {
        // In memory the registry would forget everything when it is restarted.
        APICURIO_DATASOURCE_URL: `jdbc:h2:file:${REGISTRY_DATA}/registry;WRITE_DELAY=0`,
        JAVA_OPTS_APPEND: '-Xmx384m -XX:TieredStopAtLevel=1',
      },
      containerPort: 8080,
      hostPort: registryPort,
      ready: (timeoutMs) => waitForRegistry(registryUrl, timeoutMs),
    }),
  ])
  const stop = async (): Promise<void> => {
    for (const start of starts) if (start.status === 'fulfilled') await start.value.remove()
  }
  const [kafkaStart, registryStart] = starts
  if (starts.some((start) => start.status === 'rejected')) await stop()
  const kafka = settledValue(kafkaStart)
  const registry = settledValue(registryStart)
  progress.step(`  up in ${((Date.now() - startedAt) / 1_000).toFixed(1)} s: Kafka ${address}, registry ${registryUrl}`)

  return {
    brokers: [address],
    registryUrl,
    origin: 'docker',
    broker: {
      kill: () => kafka.kill(),
      restart: () => kafka.restart(),
      pause: () => kafka.pause(),
      resume: () => kafka.resume(),
    },
    registry: {
      stop: () => registry.kill(),
      start: async ({ empty = false } = {}) => {
        await registry.restart()
        if (!empty) return
        await registry.execute(['rm', '-rf', REGISTRY_DATA])
        await registry.restart()
      },
    },
    stop,
  }
}

/** If any KAFKA_… variable is set, the image takes all server properties from such variables and none from its defaults. */
function kafkaEnvironment(address: string, properties: Readonly<Record<string, string>>): Record<string, string> {
  const all: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': '1@localhost:9093',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners': `PLAINTEXT://${address}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    ...TEST_BROKER_PROPERTIES,
    ...properties,
  }
  const environment: Record<string, string> = { KAFKA_HEAP_OPTS: '-Xmx512m -Xms128m' }
  for (const [key, value] of Object.entries(all)) {
    environment[`KAFKA_${key.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`] = value
  }
  return environment
}
