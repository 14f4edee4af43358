/** One run: a trial under load, the faults of a scenario, then peace, and the oracle's verdict. */
import { setTimeout as delay } from 'node:timers/promises'
import { Random } from '../simulators/random.js'
import { startTrial, type Trial, untilPublished } from '../trial.js'
import { everythingOn } from './found.js'
import { type Delivery, type FaultStack, ScenarioRun, type Preparation, type Scenario } from './scenario-run.js'
import { markIn } from '../oracle/handed-out.js'
import { LoadGenerator } from '../oracle/load-generator.js'
import { Oracle, type Verdict } from '../oracle/oracle.js'
import { faultsIn, type Report } from './report.js'

/** Milliseconds in which everything must be published once the faults are over. */
const SETTLING = 120_000
/** Milliseconds between two words of how far it is. */
const TELLING = 30_000

export interface RunOptions {
  readonly seed: number
  readonly delivery?: Delivery
  readonly scale?: number
  /** Called with what was measured. */
  readonly say?: (text: string) => void
}

export async function runScenario(scenario: Scenario, given: FaultStack, options: RunOptions): Promise<Report> {
  const { seed, delivery = 'exactly-once', scale = 1, say = () => undefined } = options
  const began = Date.now()
  const random = new Random(seed)
  const prepared = (await scenario.prepare?.(given, random)) ?? {}
  const stack = prepared.stack ?? given
  const trial = await startTrial(stack, (configuration) => {
    configuration.kafka['delivery'] = delivery
    // Small pages and short time-outs: more of everything happens in a minute.
    configuration.kafka['requestTimeout'] = '1s'
    const { pull } = configuration.sources['mtarget-fr']
    pull['limit'] = { min: 10, start: 10, max: 100 }
    pull['idleDelay'] = '50ms'
    pull['timeout'] = '2s'
    prepared.change?.(configuration)
  })
  const load = new LoadGenerator(trial, seed, {
    target: (caller) => ground.target(caller),
    lane: (caller) => ground.lane(caller),
  })
  const ground: ScenarioRun = new ScenarioRun({ trial, load, random, stack, prepared, delivery, scale, say })
  const telling = setInterval(() => say(soFar(ground)), TELLING)
  try {
    await scenario.faults(ground)
    await settle(ground)
    const records = await everythingOn({
      brokers: stack.brokers,
      topics: trial.topics,
      registryUrl: scenario.registryForgets === true ? undefined : stack.registryUrl,
    })
    const oracle = new Oracle()
    load.enter(oracle)
    const verdict = oracle.audit(oneAfterTheOther(ground.earlier, records), markIn)
    ground.count('request read after its process had died', readLate(trial))
    const mayDouble = delivery === 'at-least-once' || scenario.mayDouble === true
    const complaints = [...ground.complaints, ...complaintsOf(verdict, mayDouble)]
    if (complaints.length > 0) say(await trial.connector.endOfLog(50))
    const seconds = Math.round((Date.now() - began) / 1_000)
    return { scenario: scenario.name, seed, delivery, seconds, counts: ground.counts, verdict, complaints }
  } catch (error) {
    const faults = JSON.stringify(Object.fromEntries(ground.counts))
    throw new Error(`${String(error)}\nafter ${faults}\n${await trial.connector.endOfLog(30)}`, { cause: error })
  } finally {
    clearInterval(telling)
    await load.stop()
    await end(trial, prepared)
  }
}

/** Requests to the queue that lay in a socket while the process that had sent them was killed and another was begun. */
function readLate({ mtarget }: Trial): number {
  const processes = mtarget.answers.map(({ process }) => Number(process))
  let newest = 0
  return processes.filter((each) => each < (newest = Math.max(newest, each))).length
}

const soFar = ({ load, counts }: ScenarioRun): string =>
  ['so far', `${load.taken} callbacks answered 200`, faultsIn(counts)].filter((part) => part !== '').join(', ')

function* oneAfterTheOther<T>(...parts: readonly Iterable<T>[]): Iterable<T> {
  for (const part of parts) yield* part
}

async function settle(ground: ScenarioRun): Promise<void> {
  const { trial, load } = ground
  await load.stop()
  if (!ground.isUp) {
    await ground.ended()
    await ground.start()
  }
  await untilPublished(trial, SETTLING).catch(async (error: unknown) => {
    const state = JSON.stringify(await trial.status().catch(String))
    throw new Error(`it did not settle: ${String(error)}\n${state}\n${await trial.connector.endOfLog(30)}`)
  })
  const code = await trial.connector.terminate()
  if (code !== 0) ground.complaints.push(`it ended with code ${code}: ${await trial.connector.endOfLog(5)}`)
}

function complaintsOf({ lost, doubled, strangers, wrong }: Verdict, mayDouble: boolean): string[] {
  return [
    ...lost.map((item) => `LOST ${item}`),
    ...(mayDouble ? [] : doubled.map((item) => `DOUBLED ${item}`)),
    ...strangers.map((item) => `DOUBLED UNDER ANOTHER EVENT ID ${item}`),
    ...wrong.map((item) => `WRONG ${item}`),
  ]
}

async function end(trial: Trial, prepared: Preparation): Promise<void> {
  try {
    // The journal is gone through for credentials there.
    await trial.stop()
  } finally {
    await Promise.race([prepared.end?.(), delay(10_000)])
  }
}
