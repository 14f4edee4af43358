#!/usr/bin/env node
/** Arguments -> command -> exit code. The table of exit codes is in the README. */
import { Command, CommanderError } from 'commander'
import { check } from './commands/check.js'
import { run } from './commands/run.js'
import { version } from './commands/version.js'
import { ConnectorError, messageOf } from './errors.js'

const program = new Command('dlr-mo-connector')
  .description(
    'Takes delivery receipts (DLR) and mobile-originated messages (MO) of SMS aggregators into custody and publishes each exactly once to Kafka.',
  )
  .version(version)
  .exitOverride()

const command = (name: string, description: string): Command =>
  program
    .command(name)
    .description(description)
    .option('-c, --config <file>', 'configuration file', process.env['CONNECTOR_CONFIG'] ?? 'config/connector.yaml')
    .option('--json', 'print for machines: one JSON object', false)
    .exitOverride()

command('run', 'take in, publish, until SIGTERM or SIGINT')
  .option('--drain', 'take nothing in; publish until the journal is empty, then end', false)
  .option('--timeout <duration>', 'with --drain: give up after this long (250ms, 30s, 3m, 1h) with exit code 3')
  .action((options: Parameters<typeof run>[0]) => run(options).then(end))

command('check', 'test configuration, journal, registry and brokers without taking anything in').action(
  (options: Parameters<typeof check>[0]) => check(options).then(end),
)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version end with 0; whatever else commander refuses are wrong arguments.
    end(error.exitCode === 0 ? 0 : 2)
  } else {
    process.stderr.write(`dlr-mo-connector: ${messageOf(error)}\n`)
    end(error instanceof ConnectorError ? error.exitCode : 1)
  }
}

/** Nothing that is still open, a socket to a broker that hangs say, may keep the process from ending. */
function end(exitCode: number): never {
  process.exit(exitCode)
}
