import type { Scenario } from '../scenario.js'
import { backlog } from './backlog.js'
import { boot } from './boot.js'
import { broker, brokerAndKills } from './broker.js'
import { position, positionAtWorst, rights, topics } from './cluster-state.js'
import { failingDisk, fullDisk, journalLimit, power } from './disk.js'
import { drains } from './drain.js'
import { instances } from './instances.js'
import { clocks, journals, stopped } from './journals.js'
import { diskSteps, kills, largeEntries, steps } from './kills.js'
import { network, networkAndKills } from './network.js'
import { provider } from './provider.js'
import { quota } from './quota.js'
import { registry } from './registry.js'
import { replay } from './replay.js'
import { steady } from './steady.js'
import { threeBrokers } from './three-brokers.js'

/** All scenarios, in the order in which they take turns. */
export const SCENARIOS: readonly Scenario[] = [
  kills,
  boot,
  broker,
  network,
  steps,
  brokerAndKills,
  networkAndKills,
  diskSteps,
  largeEntries,
  replay,
  quota,
  provider,
  power,
  fullDisk,
  failingDisk,
  journalLimit,
  registry,
  topics,
  rights,
  position,
  positionAtWorst,
  journals,
  instances,
  clocks,
  stopped,
  threeBrokers,
  steady,
  backlog,
  ...drains,
]
