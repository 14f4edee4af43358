/** Receipts to seven's status URL in numbers: one message each, numbered, on raw sockets of a process of its own. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { SEVEN_STATUSES, type SevenReceipt } from './provider-data.js'

export interface BurstOptions {
  /** The connector's callback URL, token included. */
  readonly url: string
  /** Number of the first. */
  readonly first?: number
  readonly count: number
  /** Each has one call under way at a time. */
  readonly connections: number
}

export interface BurstReport {
  readonly seconds: number
  /** Milliseconds from a call to its answer, a sample. */
  readonly times: readonly number[]
  /** How many were not answered 200. */
  readonly refused: number
}

/** The receipt with this number. */
export const burstReceipt = (number: number): SevenReceipt => ({
  msg_id: `77${number}`,
  status: SEVEN_STATUSES[number % SEVEN_STATUSES.length]!,
})

/** @throws Error when a connection fails: the rest is not sent then */
export async function sendBurst(options: BurstOptions): Promise<BurstReport> {
  // A process of its own: the load must not take turns with what measures it.
  const caller = fork(fileURLToPath(new URL('callback-burst-process.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
  })
  const failed = once(caller, 'exit').then(([code]) => {
    throw new Error(`the caller ended with code ${code} before it had called all`)
  })
  const [report] = (await Promise.race([once(caller, 'message'), failed])) as [BurstReport]
  failed.catch(() => undefined)
  return report
}
