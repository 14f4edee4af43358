/** The provider is slow, hangs, cuts its answers, refuses, and never ends. */
import type { Random } from '../../simulators/random.js'
import type { MtargetFault } from '../../simulators/mtarget.js'
import type { Scenario } from '../scenario-run.js'

const FAULTS: readonly (readonly [string, (random: Random) => MtargetFault])[] = [
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
  about: 'pages late, cut, endless, hanging or refused; and the connector killed now and then',
  prepare: () => Promise.resolve({ change: ({ sources }) => (sources['mtarget-fr'].pull['maxAnswer'] = '256KiB') }),
  async faults(ground) {
    const { mtarget } = ground.trial
    await ground.start()
    ground.load.start()
    for (let fault = 0; fault < ground.scaled(60); fault++) {
      const [name, make] = ground.random.pick(FAULTS)
      mtarget.fault(make(ground.random))
      ground.count(name)
      await ground.wait(50, 700)
      if (ground.random.chance(0.06)) await ground.killAndRestart()
    }
    mtarget.clearFaults()
  },
}
