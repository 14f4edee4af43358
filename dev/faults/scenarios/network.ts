/** What lies between the connector and the broker loses, delays, cuts and swallows. */
import { Random } from '../../simulators/random.js'
import { API, type Handling, KafkaProxy } from '../../fault-injection/kafka-proxy.js'
import type { FaultStack, ScenarioRun, Preparation, Scenario } from '../scenario-run.js'

/** Answers that may be lost: all that matter to a transaction. */
const HARMED: ReadonlySet<number> = new Set(Object.values(API))

/** In percent of the requests. */
const BAD: readonly (readonly [Handling, number])[] = [
  ['lose-answer', 2.5],
  ['cut', 1],
  ['late-answer', 2],
  ['lose-request', 0.5],
  ['stall', 0.2],
]
const COUNTED: readonly Handling[] = BAD.map(([fate]) => fate)

async function prepare({ brokers }: FaultStack, random: Random): Promise<Preparation> {
  const proxy = await KafkaProxy.startInFrontOf(brokers[0]!)
  const dice = new Random(random.integer(0, 2 ** 31))
  proxy.setRule((apiKey) => {
    let at = dice.next() * 100
    if (!HARMED.has(apiKey)) return 'pass'
    for (const [fate, percent] of BAD) if ((at -= percent) < 0) return fate
    return 'pass'
  })
  return {
    proxy,
    change: ({ kafka }) => (kafka['brokers'] = [proxy.address]),
    end: () => proxy.close(),
  }
}

/** The network mends; how often what happened is noted. */
function mend(ground: ScenarioRun): void {
  const proxy = ground.prepared['proxy'] as KafkaProxy
  proxy.setRule(() => 'pass')
  for (const fate of COUNTED) ground.count(fate, proxy.counts[fate])
}

export const network: Scenario = {
  name: 'network',
  about: '2.5 % of the answers lost, 2 % late, 0.5 % of the requests lost, 1 % of the connections cut, some half-open',
  prepare,
  async faults(ground) {
    await ground.start()
    ground.load.start()
    await ground.wait(ground.scaled(60_000), ground.scaled(60_000))
    mend(ground)
  },
}

export const networkAndKills: Scenario = {
  name: 'network+kill',
  about: 'the same, while the connector is killed every second or two',
  prepare,
  async faults(ground) {
    ground.load.start()
    for (let kill = 0; kill < ground.scaled(30); kill++) {
      await ground.liveAndDie(3_000)
    }
    mend(ground)
  },
}
