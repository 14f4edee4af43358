/**
 * Lets kafkajs start a timer only for requests that wait.
 *
 * Defect: after every response, the request queue of kafkajs 2.2.4 starts a timer that looks for waiting requests. If none waits
 * and the broker throttles nothing, the delay is negative: -1 less the time since 1970. Effect: Node.js runs such a timer after a
 * millisecond, and the next one follows, so each connection that was used once runs a timer every millisecond. Node.js 24 also
 * writes `TimeoutNegativeWarning` to standard error. Remedy: no timer while no request waits. A request that has to wait later
 * starts the timer itself.
 *
 * This file can go when the client no longer is kafkajs.
 */
import { createRequire } from 'node:module'

interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests: (this: RequestQueue) => void
}

const require = createRequire(import.meta.url)
const queueClass = require('kafkajs/src/network/requestQueue/index.js') as { readonly prototype: RequestQueue }

let isRepaired = false

/** Repairs the request queues of all clients of this process. May be called again. */
export function repairRequestQueues(): void {
  if (isRepaired) return
  isRepaired = true
  const queue = queueClass.prototype
  const schedule = queue.scheduleCheckPendingRequests
  queue.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) schedule.call(this)
  }
}
