/** The command line: its commands, their options, and what counts as a wrong argument. */
import { Command, CommanderError, Option } from 'commander'
import type { CheckOptions } from './check.js'
import type { RunOptions } from './run.js'
import { version } from './version.js'

/** What the commands do. Each resolves with the exit code. */
export interface CommandActions {
  readonly run: (options: RunOptions) => Promise<number>
  readonly check: (options: CheckOptions) => Promise<number>
}

export interface CommandLine {
  /**
   * Runs the command that the arguments name. Help, and what is wrong with the arguments, is printed.
   * @returns the exit code
   * @throws whatever the command throws
   */
  execute(args: readonly string[]): Promise<number>
  /** Whether the command that was executed is to print JSON. */
  readonly isJsonRequested: boolean
}

const WRONG_ARGUMENTS = 2

const EXIT_CODES = `
Exit codes:
  0  The command is done, or SIGTERM or SIGINT stopped it. Everything in the journal is safe.
  1  An unexpected failure occurred.
  2  The arguments or the configuration are wrong, or a port is in use. With check: a schema is refused.
  3  A dependency can't be reached or refuses the connector (check, run --drain).
  4  Another process holds the journal, or publishes under the same instance.`

export function createCommandLine(actions: CommandActions): CommandLine {
  let exitCode = 0
  const program = new Command('dlr-mo-connector')
    .description(
      'Takes delivery receipts (DLR) and mobile-originated messages (MO) of SMS aggregators into custody on disk and publishes each exactly once to Kafka.',
    )
    .version(version, '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()

  const addCommand = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .helpOption('-h, --help', 'Print this help.')
      .addOption(
        new Option('-c, --config <file>', 'Read the configuration from this file.')
          .default('config/connector.yaml')
          .env('CONNECTOR_CONFIG'),
      )
      .option('--json', 'Print one JSON object for programs, also for errors. The log is always JSON.', false)
      .exitOverride()

  addCommand('run', 'Receive from all sources and publish to Kafka, until SIGTERM or SIGINT.')
    .option('--drain', 'Receive nothing. Publish until the journal is empty, then end.', false)
    .option('--timeout <duration>', 'With --drain: end with exit code 3 after this time (250ms, 30s, 3m, 1h).')
    .action(async (options: RunOptions) => {
      exitCode = await actions.run(options)
    })

  addCommand(
    'check',
    'Test the configuration, the journal, the ports, the registry, the brokers and the rights, without receiving anything.',
  ).action(async (options: CheckOptions) => {
    exitCode = await actions.check(options)
  })

  return {
    async execute(args) {
      try {
        const unknown = findUnknownCommand(program, args)
        // Commander would print the general help if --help is among the arguments.
        if (unknown !== undefined) {
          program.error(`error: unknown command '${unknown}'; the command comes first, and its options follow it`)
        }
        await program.parseAsync(args, { from: 'user' })
        return exitCode
      } catch (error) {
        if (!(error instanceof CommanderError)) throw error
        // Commander ends help and version with 0. Everything else that it refuses are wrong arguments.
        return error.exitCode === 0 ? 0 : WRONG_ARGUMENTS
      }
    },
    get isJsonRequested() {
      return program.commands.some((each) => each.opts<{ json?: boolean }>().json)
    },
  }
}

/** Returns the first word that stands where a command is expected and is none. */
function findUnknownCommand(program: Command, args: readonly string[]): string | undefined {
  const words = args.filter((arg) => arg === '-' || !arg.startsWith('-'))
  let parent = program
  for (const word of words) {
    if (parent.commands.length === 0) return undefined
    if (parent === program && word === 'help') continue
    const command = parent.commands.find((each) => each.name() === word)
    if (command === undefined) return word
    parent = command
  }
  return undefined
}
