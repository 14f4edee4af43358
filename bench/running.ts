/** The connector as its users run it, for the length of one measurement. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ConnectorProcess } from '../dev/connector/connector-process.js'
import { freePort } from '../dev/ports.js'
import type { Stack } from '../dev/stack/index.js'
import { configurationText } from './configuration.js'

export interface Running {
  readonly callbackPort: number
  /** Sum over all labels of a metric. */
  sum(metric: string): Promise<number>
  stop(): Promise<void>
}

export async function startConnector(stack: Stack, name: string, mtarget: string): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'dlrmo-bench-'))
  const ports = { callbacks: await freePort(), admin: await freePort(), mtarget }
  const configuration = parse(configurationText(stack, `${name}-${Date.now()}`, 'journal', ports)) as Record<
    string,
    unknown
  >
  const addresses = { callbacksPort: ports.callbacks, adminPort: ports.admin }
  const connector = await ConnectorProcess.configure(folder, addresses, configuration)
  await connector.start()
  const sum = async (metric: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }
  return {
    callbackPort: ports.callbacks,
    sum,
    stop: async () => {
      await connector.terminate()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Looks every 50 ms until `metric` has reached `wanted`, for at most ten minutes. */
export async function untilReached(running: Running, metric: string, wanted: number): Promise<void> {
  const end = Date.now() + 600_000
  while ((await running.sum(metric)) < wanted) {
    if (Date.now() > end) throw new Error(`${metric} has not reached ${wanted} within ten minutes`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Before a measurement: publishing has begun, so that start-up is not part of it. */
export const untilPublishing = (running: Running): Promise<void> => untilReached(running, 'dlrmo_publishing', 1)
