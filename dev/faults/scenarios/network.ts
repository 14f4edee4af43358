/** The network between the connector and the broker loses, delays and cuts requests and responses. */
import { API, type Handling, KafkaProxy } from '../../fault-injection/kafka-proxy.js'
import { Random } from '../../simulators/random.js'
import type { PreparedScenario, RunConditions, Scenario, ScenarioRun } from '../scenario.js'

/** The requests whose loss matters to a transaction. */
const AFFECTED_REQUESTS: ReadonlySet<number> = new Set(Object.values(API))

/** The percentages of the affected requests. */
const FREQUENCIES: readonly (readonly [Handling, number])[] = [
  ['lose-answer', 2.5],
  ['cut', 1],
  ['late-answer', 2],
  ['lose-request', 0.5],
  ['stall', 0.2],
]

async function prepareWith(
  { stack, random }: RunConditions,
  disturb: (run: ScenarioRun) => Promise<void>,
): Promise<PreparedScenario> {
  const proxy = await KafkaProxy.startInFrontOf(stack.brokers[0]!)
  const proxyRandom = new Random(random.integer(0, 2 ** 31))
  proxy.setRule((apiKey) => {
    const draw = proxyRandom.next() * 100
    return AFFECTED_REQUESTS.has(apiKey) ? handlingAt(draw) : 'pass'
  })
  return {
    configure: ({ kafka }) => {
      kafka['brokers'] = [proxy.address]
    },
    async injectFaults(run) {
      await disturb(run)
      proxy.setRule(() => 'pass')
      for (const [handling] of FREQUENCIES) run.countFault(handling, proxy.counts[handling])
    },
    cleanUp: () => proxy.close(),
  }
}

/** @param draw a random number from 0 to 100 */
function handlingAt(draw: number): Handling {
  let upTo = 0
  for (const [handling, percent] of FREQUENCIES) {
    upTo += percent
    if (draw < upTo) return handling
  }
  return 'pass'
}

export const network: Scenario = {
  name: 'network',
  description:
    '2.5 % of the responses lost, 2 % late, 0.5 % of the requests lost, 1 % of the connections cut, some half-open',
  prepare: (conditions) =>
    prepareWith(conditions, async (run) => {
      await run.start()
      run.load.start()
      await run.pause(run.scaled(60_000), run.scaled(60_000))
    }),
}

export const networkAndKills: Scenario = {
  name: 'network+kill',
  description: 'responses and requests are lost or late, while the connector is killed every second or two',
  prepare: (conditions) =>
    prepareWith(conditions, async (run) => {
      run.load.start()
      for (let kill = 0; kill < run.scaled(30); kill++) await run.startAndKill(3_000)
    }),
}
