/** Many receipts to seven's status URL, as fast as they are answered: numbered, and each with a message of its own. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { SEVEN_STATUSES, type SevenReceipt } from './provider-data.js'

export interface BurstOptions {
  /** The callback URL of the connector, with its token. */
  readonly url: string
  /** The number of the first receipt. */
  readonly first?: number
  readonly count: number
  /** Each connection has one callback under way at a time. */
  readonly connections: number
}

export interface BurstReport {
  readonly seconds: number
  /** Milliseconds from a callback to its answer, of the first callbacks. */
  readonly times: readonly number[]
  /** The number of callbacks that were not answered with 200. */
  readonly refused: number
  /** CPU time of the process that sent them, without its start. */
  readonly cpuSeconds: number
}

/** The receipt with this number. */
export const burstReceipt = (number: number): SevenReceipt => ({
  msg_id: `77${number}`,
  status: SEVEN_STATUSES[number % SEVEN_STATUSES.length]!,
})

/** @throws Error when a connection fails; the remaining callbacks are not sent then */
export async function sendBurst(options: BurstOptions): Promise<BurstReport> {
  // A process of its own, so that sending and measuring do not share an event loop.
  const sender = fork(fileURLToPath(new URL('callback-burst-process.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
  })
  const failed = once(sender, 'exit').then(([code]) => {
    throw new Error(`the process that sends the burst ended with code ${code} before the last callback`)
  })
  const [report] = (await Promise.race([once(sender, 'message'), failed])) as [BurstReport]
  failed.catch(() => undefined)
  return report
}
