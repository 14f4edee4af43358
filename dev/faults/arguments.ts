/** The command line of `npm run test:faults`. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Delivery, Scenario } from './scenario.js'
import { SCENARIOS } from './scenarios/index.js'

export interface FaultSuiteArguments {
  readonly runs: number
  /** The seed of the first run. */
  readonly seed: number
  /** The scenarios that take turns. */
  readonly scenarios: readonly Scenario[]
  readonly delivery: Delivery
  /** The length of a run; 1 is the long form. */
  readonly scale: number
}

interface ParsedOptions {
  readonly runs?: number
  readonly seed: number
  readonly only?: readonly string[]
  readonly delivery: Delivery
  readonly scale: number
}

const SCENARIO_HELP = SCENARIOS.map(({ name, description, onlyByName }) => {
  return `  ${name.padEnd(18)}${description}${onlyByName ? ' (only if it is named)' : ''}`
})

/** Ends the process with code 0 after `--help`, and with code 2 if an argument is wrong. */
export function parseArguments(args: readonly string[]): FaultSuiteArguments {
  const command = new Command('npm run test:faults --')
    .description(
      'Runs the connector under load while faults are injected, and checks what was published. ' +
        'The exit code is 0 only if nothing was lost, doubled or otherwise wrong.',
    )
    .option('--runs <number>', 'number of runs (default: one of each kind)', parseCount)
    .option('--seed <number>', 'seed of the first run; each run adds 1', parseCount, Date.now() % 1_000_000)
    .option('--only <kinds>', 'kinds of faults, separated by commas (default: all that are short)', parseNames)
    .addOption(new Option('--delivery <mode>').choices(['exactly-once', 'at-least-once']).default('exactly-once'))
    .option('--scale <factor>', 'length of each run; less than 1 is shorter', parseFactor, 1)
    .addHelpText('after', `\nKinds:\n${SCENARIO_HELP.join('\n')}`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse(args, { from: 'user' })
  const { only: names, delivery, ...options } = command.opts<ParsedOptions>()
  const scenarios = SCENARIOS.filter(({ name, onlyDelivery, onlyByName }) => {
    const isChosen = names?.includes(name) ?? !onlyByName
    return isChosen && (onlyDelivery ?? delivery) === delivery
  })
  if (scenarios.length === 0) command.error(`none of these kinds makes sense with --delivery ${delivery}`)
  return { runs: scenarios.length, ...options, scenarios, delivery }
}

function parseCount(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('Give a whole number above 0.')
}

function parseFactor(text: string): number {
  const number = Number(text)
  if (number > 0 && number <= 10) return number
  throw new InvalidArgumentError('Give a number above 0 and up to 10, for example 0.1.')
}

function parseNames(text: string): string[] {
  const known = SCENARIOS.map(({ name }) => name)
  const names = text.split(',')
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return names
  throw new InvalidArgumentError(`"${unknown}" is not a kind of fault. The kinds are ${known.join(', ')}.`)
}
