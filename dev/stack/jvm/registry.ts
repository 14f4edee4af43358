import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { APICURIO_PATH, waitForRegistry } from '../readiness.js'
import { JvmServer } from './server.js'

export interface RegistryPlan {
  java: string
  jar: string
  /** Data and log of this registry; exists. */
  folder: string
  port: number
}

export interface PreparedRegistry {
  readonly server: JvmServer
  readonly url: string
  /** Deletes what was registered; only while it is stopped. */
  forget(): Promise<void>
}

/**
 * Apicurio Registry on 127.0.0.1, not yet started.
 *
 * Left to itself it keeps its schemas in memory and loses them when it ends. With an H2 file it keeps them, and with
 * WRITE_DELAY=0 it keeps them over a SIGKILL too (H2 otherwise writes half a second late).
 */
export function prepareRegistry(plan: RegistryPlan): PreparedRegistry {
  const url = `http://127.0.0.1:${plan.port}${APICURIO_PATH}`
  const data = join(plan.folder, 'registry-data')
  const server = new JvmServer({
    name: 'Apicurio Registry',
    java: plan.java,
    args: [
      // Its start is all that it works hard at: the optimising compiler would cost more than it gives.
      ...['-Xmx384m', '-XX:TieredStopAtLevel=1', '-Xshare:auto'],
      ...['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${plan.port}`],
      `-Dapicurio.datasource.url=jdbc:h2:file:${join(data, 'registry')};WRITE_DELAY=0`,
      ...smallPools(),
      ...['-jar', plan.jar],
    ],
    log: join(plan.folder, 'registry.log'),
    ready: (patienceMs, gaveUp) => waitForRegistry(url, patienceMs, gaveUp),
  })
  return { server, url, forget: () => rm(data, { recursive: true, force: true }) }
}

/** Three pools of 20 connections each, opened at start, for one tester. */
function smallPools(): string[] {
  return ['', 'blue.', 'green.'].flatMap((pool) => [
    `-Dapicurio.datasource.${pool}jdbc.min-size=1`,
    `-Dapicurio.datasource.${pool}jdbc.initial-size=1`,
  ])
}
