/** What `npm run test:faults -- …` is asked for. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Delivery, Scenario } from './scenario-run.js'
import { SCENARIOS } from './scenarios/index.js'

export interface Asked {
  readonly runs: number
  /** Of the first run. */
  readonly seed: number
  /** They take turns. */
  readonly chosen: readonly Scenario[]
  readonly delivery: Delivery
  /** Less than 1: shorter runs. */
  readonly scale: number
}

interface Given {
  readonly runs?: number
  readonly seed: number
  readonly only?: readonly string[]
  readonly delivery: Delivery
  readonly scale: number
}

const KINDS = SCENARIOS.map(({ name, about, byNameOnly }) => {
  return `  ${name.padEnd(18)}${about}${byNameOnly ? ' (only by its name)' : ''}`
})

/** Ends the process: with 0 after help, with 2 where something else was asked for. */
export function asked(args: readonly string[]): Asked {
  const command = new Command('npm run test:faults --')
    .description('Faults under load, and an oracle that counts what came through. Exit code 0 only if all of it did.')
    .option('--runs <number>', 'how many; each kind once by default', wholeNumber)
    .option('--seed <number>', 'of the first run, the next has the next', wholeNumber, Date.now() % 1_000_000)
    .option('--only <kinds>', 'comma-separated; by default all that do not take long', kinds)
    .addOption(new Option('--delivery <mode>').choices(['exactly-once', 'at-least-once']).default('exactly-once'))
    .option('--scale <share>', 'less than 1: shorter runs', share, 1)
    .addHelpText('after', `\nKinds:\n${KINDS.join('\n')}`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse(args, { from: 'user' })
  const { only: names, delivery, ...given } = command.opts<Given>()
  const chosen = SCENARIOS.filter(
    ({ name, only, byNameOnly }) => (names?.includes(name) ?? !byNameOnly) && (only ?? delivery) === delivery,
  )
  if (chosen.length === 0) command.error(`none of these kinds makes sense with --delivery ${delivery}`)
  return { runs: chosen.length, ...given, chosen, delivery }
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('A whole number above 0 is expected.')
}

function share(text: string): number {
  const number = Number(text)
  if (number > 0 && number <= 10) return number
  throw new InvalidArgumentError('A number above 0 and up to 10 is expected, such as 0.1.')
}

function kinds(text: string): string[] {
  const names = text.split(',')
  const unknown = names.find((name) => !SCENARIOS.some((each) => each.name === name))
  if (unknown === undefined) return names
  throw new InvalidArgumentError(`There is no "${unknown}"; there are ${SCENARIOS.map(({ name }) => name).join(', ')}.`)
}
