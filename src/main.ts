#!/usr/bin/env node
/** Parses the arguments, runs the command, and ends the process with its exit code. */
import { Command, CommanderError, Option } from 'commander'
import type { CheckOptions } from './commands/check.js'
import type { RunOptions } from './commands/run.js'
import { onTermination } from './commands/signals.js'
import { version } from './commands/version.js'
import { ConnectorError, messageOf } from './core/errors.js'

const EXIT_CODES = `
Exit codes:
  0  The command is done, or SIGTERM or SIGINT stopped it. Everything in the journal is safe.
  1  An unexpected failure occurred.
  2  The arguments or the configuration are wrong. With check: a schema is refused.
  3  A dependency can't be reached or refuses the connector (check, run --drain).
  4  Another process holds the journal, or publishes under the same instance.`

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

// The modules of a command are imported when it runs: help and wrong arguments don't need them.
addCommand('run', 'Receive from all sources and publish to Kafka, until SIGTERM or SIGINT.')
  .option('--drain', 'Receive nothing. Publish until the journal is empty, then end.', false)
  .option('--timeout <duration>', 'With --drain: end with exit code 3 after this time (250ms, 30s, 3m, 1h).')
  .action(async (options: RunOptions) => {
    // Before `run` listens for signals itself nothing is in custody, so the process may end at once.
    const stopListening = onTermination(() => process.exit(0))
    const { run } = await import('./commands/run.js')
    const running = run(options)
    stopListening()
    // The process ends even if something is still open, for example a socket to a broker that does not answer.
    process.exit(await running)
  })

addCommand(
  'check',
  'Test the configuration, the journal, the registry and the brokers, without receiving anything.',
).action(async (options: CheckOptions) => {
  const { check } = await import('./commands/check.js')
  process.exit(await check(options))
})

try {
  const [name] = process.argv.slice(2)
  const isKnown = name === undefined || /^(-|help$)/.test(name) || program.commands.some((each) => each.name() === name)
  // Commander would print the general help for an unknown command that is followed by --help.
  if (!isKnown) program.error(`error: unknown command '${name}'`)
  await program.parseAsync()
} catch (error) {
  // Commander ends help and version with 0. Everything else that it refuses are wrong arguments.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2)
  printError(error)
  process.exit(error instanceof ConnectorError ? error.exitCode : 1)
}

/** Prints an error for people on standard error and, with --json, for programs on standard output. */
function printError(error: unknown): void {
  process.stderr.write(`dlr-mo-connector: ${messageOf(error)}\n`)
  const isJsonRequested = program.commands.some((each) => each.opts<{ json?: boolean }>().json)
  if (!isJsonRequested) return
  const code = error instanceof ConnectorError ? error.code : 'UNEXPECTED'
  process.stdout.write(`${JSON.stringify({ ok: false, error: { code, message: messageOf(error) } })}\n`)
}
