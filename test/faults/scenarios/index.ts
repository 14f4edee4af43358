import type { Scenario } from '../ground.js'
import { broker, brokerAndKills } from './broker.js'
import { diskSteps, kills, steps } from './kills.js'
import { network, networkAndKills } from './network.js'

/** In the order in which they take turns. */
export const SCENARIOS: readonly Scenario[] = [
  kills,
  steps,
  diskSteps,
  broker,
  brokerAndKills,
  network,
  networkAndKills,
]
