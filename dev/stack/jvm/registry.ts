import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { APICURIO_PATH, waitForRegistry } from '../readiness.js'
import { JvmServer } from './server.js'

export interface RegistryPlan {
  java: string
  jar: string
  /** An existing folder for data and log of this registry. */
  folder: string
  port: number
  /** System properties, for example of authentication. */
  properties?: Readonly<Record<string, string>>
}

export interface PreparedRegistry {
  readonly server: JvmServer
  readonly url: string
  /** Deletes all schemas. Must be called only while the registry is stopped. */
  forget(): Promise<void>
}

/**
 * Prepares Apicurio Registry on 127.0.0.1. The caller starts it.
 *
 * By default the registry keeps its schemas in memory and loses them when it ends. With an H2 file it keeps them. With
 * WRITE_DELAY=0 they survive a SIGKILL too; otherwise H2 writes up to half a second late.
 */
export function prepareRegistry(plan: RegistryPlan): PreparedRegistry {
  const url = `http://127.0.0.1:${plan.port}${APICURIO_PATH}`
  const data = join(plan.folder, 'registry-data')
  const server = new JvmServer({
    name: 'Apicurio Registry',
    java: plan.java,
    args: [
      // Most of its work is its start, for which the optimising compiler costs more time than it saves.
      ...['-Xmx384m', '-XX:TieredStopAtLevel=1', '-Xshare:auto'],
      ...['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${plan.port}`],
      `-Dapicurio.datasource.url=jdbc:h2:file:${join(data, 'registry')};WRITE_DELAY=0`,
      ...smallPools(),
      ...Object.entries(plan.properties ?? {}).map(([key, value]) => `-D${key}=${value}`),
      ...['-jar', plan.jar],
    ],
    log: join(plan.folder, 'registry.log'),
    ready: (timeoutMs, assertRunning) => waitForRegistry(url, timeoutMs, assertRunning),
  })
  return { server, url, forget: () => rm(data, { recursive: true, force: true }) }
}

/** By default the registry opens three pools of 20 database connections during its start. */
function smallPools(): string[] {
  return ['', 'blue.', 'green.'].flatMap((pool) => [
    `-Dapicurio.datasource.${pool}jdbc.min-size=1`,
    `-Dapicurio.datasource.${pool}jdbc.initial-size=1`,
  ])
}
