/** The connector dies: at any instant, and at each named step of the flow. */
import type { ScenarioRun, Scenario } from '../scenario-run.js'
import { compile, remove } from '../../fault-injection/native-library.js'

const STEPS_MODULE = new URL('../preload/steps.mjs', import.meta.url).href

/** By how often they are passed: the number of the passage is drawn up to this. */
const OFTEN = ['custody', 'answer'].flatMap(sides(['before', 'after', 'amid']))
const PAGES = ['ask'].flatMap(sides(['before', 'after', 'amid']))
const BATCHES = ['begin', 'position', 'send', 'commit', 'publish', 'release'].flatMap(
  sides(['before', 'after', 'amid']),
)
const ONCE = ['open', 'recover'].flatMap(sides(['before', 'after', 'amid']))
const DISK = ['write', 'fsync'].flatMap(sides(['before', 'after']))
/** Only where there are transactions. */
const TRANSACTIONS = /^(begin|position|commit)/

function sides(of: readonly string[]): (step: string) => string[] {
  return (step) => of.map((side) => `${step}-${side}`)
}

/** How long a step may take to be reached, ms; long, since nothing else ends the wait on a busy machine. */
const REACHED = 40_000

export const kills: Scenario = {
  name: 'kill',
  about: 'kill -9 of the connector at random instants, while it starts too',
  async faults(ground) {
    ground.load.start()
    for (let kill = 0; kill < ground.scaled(40); kill++) {
      await ground.liveAndDie()
    }
  },
}

export const steps: Scenario = {
  name: 'steps',
  about: 'kill -9 before, in and after each step: custody, answer, ask, begin, position, send, commit, release',
  async faults(ground) {
    ground.load.start()
    const all = [...OFTEN, ...PAGES, ...BATCHES, ...ONCE]
    const here = ground.delivery === 'exactly-once' ? all : all.filter((step) => !TRANSACTIONS.test(step))
    const missed: string[] = []
    for (const step of here) {
      const env = {
        NODE_OPTIONS: `--import ${STEPS_MODULE}`,
        FAULT_STEP: step,
        FAULT_AT: String(passage(ground, step)),
      }
      if (!(await dies(ground, env))) missed.push(step)
    }
    // One or two that a busy machine does not get to are no matter; that none is reached would be.
    if (missed.length > here.length / 4) ground.complaints.push(`steps that were not reached: ${missed.join(', ')}`)
  },
}

export const diskSteps: Scenario = {
  name: 'disk-steps',
  about: 'kill -9 before and after single writes and fsyncs of the journal',
  needs: 'a C compiler',
  prepare: async () => {
    const library = compile('disk')
    return { library, end: () => remove(library) }
  },
  async faults(ground) {
    ground.load.start()
    for (let round = 0; round < ground.scaled(6); round++) {
      for (const step of DISK) {
        const env = { LD_PRELOAD: ground.prepared['library'] as string, FAULT_STEP: step }
        await dies(ground, { ...env, FAULT_AT: String(ground.random.integer(1, 400)) })
      }
    }
    const { counts } = ground
    if ((counts.get('step reached') ?? 0) === 0) ground.complaints.push('no write or fsync was reached')
  },
}

async function dies(ground: ScenarioRun, env: Readonly<Record<string, string>>): Promise<boolean> {
  await ground.launch({ env })
  const reached = await ground.untilDead(REACHED)
  if (reached) ground.count('step reached')
  return reached
}

const passage = ({ random }: ScenarioRun, step: string): number => {
  if (ONCE.includes(step)) return 1
  if (OFTEN.includes(step)) return random.integer(1, 60)
  return random.integer(1, PAGES.includes(step) ? 10 : 5)
}
