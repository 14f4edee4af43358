/** The provider's queue is slow, hangs, cuts its answers, refuses, or sends without end. */
import type { MtargetFault } from '../../simulators/mtarget.js'
import type { Random } from '../../simulators/random.js'
import type { Scenario } from '../scenario.js'

const FAULTS: readonly (readonly [name: string, create: (random: Random) => MtargetFault])[] = [
  ['late page', (random) => ({ latencyMs: random.integer(100, 900) })],
  ['page that never comes', () => ({ hang: 'after' })],
  ['answer that never comes', () => ({ hang: 'before' })],
  ['page cut on the wire', (random) => ({ destroyAfterBytes: random.integer(20, 3_000) })],
  ['page cut by the provider', (random) => ({ cutAfterBytes: random.integer(20, 3_000) })],
  ['HTTP 429', () => ({ status: 429, headers: { 'retry-after': '1' } })],
  ['HTTP 5xx', (random) => ({ status: random.pick([500, 502, 503, 504]) })],
  ['HTTP 500 with a page', () => ({ status: 500, keepPage: true })],
  ['HTTP 200 with HTML', (random) => ({ body: `<html>maintenance ${random.hex(8)}</html>` })],
  ['page in small pieces', () => ({ pieces: { bytes: 700, pauseMs: 5 } })],
  ['compressed page', () => ({ gzip: true })],
  ['endless page', () => ({ endless: true })],
]

export const provider: Scenario = {
  name: 'provider',
  description: 'pages are late, cut, endless, hanging or refused, and the connector is killed now and then',
  configure: ({ sources }) => {
    sources['mtarget-fr'].pull['maxAnswer'] = '256KiB'
  },
  async injectFaults(run) {
    const { mtarget } = run.trial
    await run.start()
    run.load.start()
    for (let fault = 0; fault < run.scaled(60); fault++) {
      const [name, create] = run.random.pick(FAULTS)
      mtarget.fault(create(run.random))
      run.countFault(name)
      await run.pause(50, 700)
      if (run.random.chance(0.06)) await run.killAndRestart()
    }
    mtarget.clearFaults()
  },
}
