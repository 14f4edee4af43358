import { cp, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { waitForBroker } from '../readiness.js'
import { TEST_BROKER_PROPERTIES } from '../broker-properties.js'
import type { KafkaDistribution } from './distributions.js'
import { JvmServer } from './server.js'

export interface BrokerPlan {
  java: string
  distribution: KafkaDistribution
  /** An existing folder for data, configuration and log of this broker. */
  folder: string
  port: number
  controllerPort: number
  properties: Readonly<Record<string, string>>
  /** Options of the JVM, such as system properties. */
  jvmOptions?: readonly string[]
  /** A folder with classes of a test, for example a callback handler. */
  classes?: string
}

/** Prepares a broker on 127.0.0.1 that is its own KRaft controller. The caller starts it. */
export async function prepareBroker(plan: BrokerPlan): Promise<JvmServer> {
  const data = join(plan.folder, 'kafka-data')
  const configuration = join(plan.folder, 'server.properties')
  await cp(plan.distribution.formatted, data, { recursive: true })
  const lines = Object.entries({ ...singleNodeProperties(plan, data), ...TEST_BROKER_PROPERTIES, ...plan.properties })
  await writeFile(configuration, lines.map(([key, value]) => `${key}=${value}\n`).join(''))

  const address = `127.0.0.1:${plan.port}`
  return new JvmServer({
    name: 'Kafka',
    java: plan.java,
    args: [
      ...['-Xmx512m', '-Xms128m', '-Xshare:auto', '-Dorg.slf4j.simpleLogger.showDateTime=true'],
      ...(plan.jvmOptions ?? []),
      ...[
        '-cp',
        [plan.distribution.classpath, plan.classes].filter(Boolean).join(delimiter),
        'kafka.Kafka',
        configuration,
      ],
    ],
    log: join(plan.folder, 'kafka.log'),
    ready: (timeoutMs, assertRunning) => waitForBroker([address], timeoutMs, assertRunning),
  })
}

function singleNodeProperties(plan: BrokerPlan, data: string): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${plan.controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${plan.port},CONTROLLER://127.0.0.1:${plan.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${plan.port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
  }
}
