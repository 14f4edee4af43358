#!/usr/bin/env node
/** Arguments -> command -> exit code. The table of exit codes is in the README. */
import { Command, CommanderError, Option } from 'commander'
import type { CheckOptions } from './commands/check.js'
import type { RunOptions } from './commands/run.js'
import { version } from './commands/version.js'
import { ConnectorError, messageOf } from './core/errors.js'

const EXIT_CODES = `
Exit codes:
  0  done, or stopped by SIGTERM or SIGINT; what is in the journal is safe
  1  unexpected failure
  2  the arguments or the configuration are wrong; check: a schema is refused
  3  a dependency can't be reached or refuses us (check, run --drain)
  4  the journal is held by another process, or another process publishes under this instance`

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
const endAtOnce = (): never => end(0)

const program = new Command('dlr-mo-connector')
  .description(
    'Takes delivery receipts (DLR) and mobile-originated messages (MO) of SMS aggregators into custody and publishes each exactly once to Kafka.',
  )
  .version(version)
  .addHelpText('after', EXIT_CODES)
  .exitOverride()

const command = (name: string, description: string): Command =>
  program
    .command(name)
    .description(description)
    .addOption(
      new Option('-c, --config <file>', 'configuration file').default('config/connector.yaml').env('CONNECTOR_CONFIG'),
    )
    .option('--json', 'print for machines: one JSON object, errors too (the log is JSON in any case)', false)
    .exitOverride()

command('run', 'take in, publish, until SIGTERM or SIGINT')
  .option('--drain', 'take nothing in; publish until the journal is empty, then end', false)
  .option('--timeout <duration>', 'with --drain: give up after this long (250ms, 30s, 3m, 1h) with exit code 3')
  // Loaded when it is called: help and wrong arguments need none of it.
  .action(async (options: RunOptions) => {
    // Nothing is in custody yet: a signal while modules are loaded and the configuration is read ends us in order, too.
    for (const signal of SIGNALS) process.on(signal, endAtOnce)
    const { run } = await import('./commands/run.js')
    const running = run(options) // listens itself from here on
    for (const signal of SIGNALS) process.off(signal, endAtOnce)
    end(await running)
  })

command('check', 'test configuration, journal, registry and brokers without taking anything in').action(
  async (options: CheckOptions) => end(await (await import('./commands/check.js')).check(options)),
)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version end with 0; whatever else commander refuses are wrong arguments.
    end(error.exitCode === 0 ? 0 : 2)
  } else {
    complain(error)
    end(error instanceof ConnectorError ? error.exitCode : 1)
  }
}

/** For people on standard error, and with --json for machines on standard output. */
function complain(error: unknown): void {
  process.stderr.write(`dlr-mo-connector: ${messageOf(error)}\n`)
  if (!program.commands.some((each) => each.opts<{ json?: boolean }>().json)) return
  const code = error instanceof ConnectorError ? error.code : 'UNEXPECTED'
  process.stdout.write(`${JSON.stringify({ ok: false, error: { code, message: messageOf(error) } })}\n`)
}

/** Nothing that is still open, a socket to a broker that hangs say, may keep the process from ending. */
function end(exitCode: number): never {
  process.exit(exitCode)
}
