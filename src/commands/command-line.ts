/** The command line: its commands, their options, and what counts as a wrong argument. */
import { Argument, Command, CommanderError, Option } from 'commander'
import { PERSONAL_DATA } from '../masking/personal-data.js'
import type { EventKind } from '../registry/schemas.js'
import type { CheckOptions } from './check.js'
import type { ListDeadLettersOptions, ReplayDeadLettersOptions, ShowDeadLetterOptions } from './dead-letter-query.js'
import type { JournalListOptions, JournalOptions } from './journal.js'
import type { JournalExportOptions } from './journal-export.js'
import type { JournalImportOptions } from './journal-import.js'
import type { NewProviderOptions, ProvidersOptions, TestProviderOptions } from './providers.js'
import type { RunOptions } from './run.js'
import type { SchemasOptions } from './schemas.js'
import type { TailOptions } from './tail-query.js'
import { version } from './version.js'

/** What the commands do. Each resolves with the exit code. */
export interface CommandActions {
  readonly run: (options: RunOptions) => Promise<number>
  readonly check: (options: CheckOptions) => Promise<number>
  /** @param topic undefined for all topics */
  readonly tail: (topic: string | undefined, options: TailOptions) => Promise<number>
  readonly checkSchemas: (options: SchemasOptions) => Promise<number>
  readonly registerSchemas: (options: SchemasOptions) => Promise<number>
  readonly showJournalStatus: (options: JournalOptions) => Promise<number>
  readonly listJournal: (options: JournalListOptions) => Promise<number>
  readonly exportJournal: (options: JournalExportOptions) => Promise<number>
  readonly importJournal: (file: string, options: JournalImportOptions) => Promise<number>
  readonly listDeadLetters: (options: ListDeadLettersOptions) => Promise<number>
  readonly showDeadLetter: (eventId: string, options: ShowDeadLetterOptions) => Promise<number>
  readonly replayDeadLetters: (options: ReplayDeadLettersOptions) => Promise<number>
  readonly listProviders: (options: ProvidersOptions) => Promise<number>
  readonly showProvider: (name: string, options: ProvidersOptions) => Promise<number>
  readonly testProvider: (file: string, options: TestProviderOptions) => Promise<number>
  readonly newProvider: (name: string, options: NewProviderOptions) => Promise<number>
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

/** The topics that `tail` can be restricted to. The room of the schemas is loaded only by commands that need it. */
const TOPICS: readonly EventKind[] = ['dlr', 'mo', 'dead-letter']

const EXIT_CODES = `
Exit codes:
  0  The command is done, or SIGTERM or SIGINT stopped it. Everything in the journal is safe.
  1  An unexpected failure occurred.
  2  The arguments or the configuration are wrong, or a port is in use. With check and schemas: a schema is refused. With journal and dead-letters: the directory holds no journal, or something can't be replayed. With providers test: an item is not what a sample says.
  3  A dependency can't be reached or refuses the connector (check, run --drain, schemas, tail, dead-letters).
  4  Another process holds the journal, or publishes under the same instance.`

const personalDataOption = (): Option =>
  new Option('--personal-data <mode>', 'Mask phone numbers and texts, or show them.')
    .choices([...PERSONAL_DATA])
    .default('masked')

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

  const addCommand = (name: string, description: string, parent = program): Command =>
    parent
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

  addCommand('tail', 'Show records of the topics, decoded: the last ones, or what the options say. Changes nothing.')
    .addArgument(new Argument('[topic]', 'Show this topic only. If left out, show all three.').choices(TOPICS))
    .option('-f, --follow', 'Go on with what is published from now on, until SIGTERM or SIGINT.', false)
    .option('--from-beginning', 'Show the records from the beginning of the topics.', false)
    .option(
      '--since <time>',
      'Show the records since then: a duration (30s, 10m, 2h) or a time (2030-01-31T12:00:00Z).',
    )
    .option(
      '-n, --limit <number>',
      'Show at most so many stored records of each topic. (default: 10, or all with --since)',
    )
    .option('--source <source>', 'Show only records of this source.')
    .option('--key <key>', 'Show only records with this key: message id (dlr), sender (mo) or source (dead-letter).')
    .option('--status <status>', 'Show only receipts with this status. Several are separated by commas.')
    .option('--event-id <id>', 'Show only records with this event id.')
    .addOption(personalDataOption())
    .action(async (topic: string | undefined, options: TailOptions) => {
      exitCode = await actions.tail(topic, options)
    })

  const schemas = program
    .command('schemas')
    .description('Compare the record schemas of this release with the registry, or register them. Needs no Kafka.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .exitOverride()
  addCommand(
    'check',
    'Test whether the schemas fit the published versions and the subjects. Changes nothing.',
    schemas,
  ).action(async (options: SchemasOptions) => {
    exitCode = await actions.checkSchemas(options)
  })
  addCommand(
    'register',
    'Register the schemas that their subjects accept. The configuration of a subject stays as it is.',
    schemas,
  ).action(async (options: SchemasOptions) => {
    exitCode = await actions.registerSchemas(options)
  })

  const journal = program
    .command('journal')
    .description(
      'Look at what a journal holds, also beside the connector that holds it, or import what another one held.',
    )
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .exitOverride()
  const addJournalCommand = (name: string, description: string): Command =>
    addCommand(name, description, journal)
      .option(
        '-d, --directory <directory>',
        'Read the journal in this directory instead of journal.directory. The configuration may be missing then.',
      )
      .option(
        '--encryption-key-file <file>',
        'Decrypt entries with the key in this file too: 32 bytes in Base64 or hexadecimal. May be repeated.',
        (file: string, files: readonly string[] = []) => [...files, file],
      )
  addJournalCommand('status', 'Show what the journal holds, since when, and who holds it. Changes nothing.').action(
    async (options: JournalOptions) => {
      exitCode = await actions.showJournalStatus(options)
    },
  )
  addJournalCommand('list', 'Show one line for each entry, oldest first. Changes nothing.')
    .option('--source <source>', 'Show only entries of this source.')
    .option('--since <time>', 'Show entries received since then: a duration (30s, 10m, 2h) or a time.')
    .option('--until <time>', 'Show entries received until then: a duration (30s, 10m, 2h) or a time.')
    .option('-n, --limit <number>', 'Show at most so many entries.')
    .action(async (options: JournalListOptions) => {
      exitCode = await actions.listJournal(options)
    })
  addJournalCommand(
    'export',
    'Write all entries as JSON lines, to standard output or a file. They hold personal data. Changes nothing.',
  )
    .option('-o, --output <file>', 'Write the lines to this file, which must not exist. Only its owner may read it.')
    .option('--raw <directory>', 'Also write the body of each entry to a file <number>.body in this directory.')
    .option('--offline', 'Do not ask Kafka which entries are published already.', false)
    .action(async (options: JournalExportOptions) => {
      exitCode = await actions.exportJournal(options)
    })
  addCommand(
    'import',
    'Take the entries of an export into custody. Each is published once, however often this runs.',
    journal,
  )
    .argument('<file>', 'The file that journal export wrote.')
    .option('--dry-run', 'Only validate the file and show what would happen.', false)
    .option('--allow-incomplete', 'Take a file without its end line, up to its last whole line.', false)
    .action(async (file: string, options: JournalImportOptions) => {
      exitCode = await actions.importJournal(file, options)
    })

  const deadLetters = program
    .command('dead-letters')
    .description('Look at what could not be decoded, and replay it after a correction.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .exitOverride()
  const addFilteredCommand = (name: string, description: string): Command =>
    addCommand(name, description, deadLetters)
      .option('--source <source>', 'Only dead letters of this source.')
      .option('--reason <reason>', 'Only dead letters with this reason.')
      .option('--since <time>', 'Only dead letters received since then: a duration (30s, 10m, 2h) or a time.')
      .option('--until <time>', 'Only dead letters received until then: a duration (30s, 10m, 2h) or a time.')
      .option('--event-id <id>', 'Only the dead letter with this event id.')
  addFilteredCommand('list', 'Show one line for each dead letter that was not replayed. Changes nothing.')
    .option('--replayed', 'Show those that were replayed instead.', false)
    .option('--all', 'Show those that were replayed too.', false)
    .addOption(personalDataOption())
    .action(async (options: ListDeadLettersOptions) => {
      exitCode = await actions.listDeadLetters(options)
    })
  addCommand('show', 'Show a dead letter with its request, reason and body. Changes nothing.', deadLetters)
    .argument('<event-id>', 'The event id of the dead letter, as list shows it.')
    .option('--since <time>', 'Search from then on only: a duration (30s, 10m, 2h) or a time.')
    .addOption(personalDataOption())
    .action(async (eventId: string, options: ShowDeadLetterOptions) => {
      exitCode = await actions.showDeadLetter(eventId, options)
    })
  addFilteredCommand(
    'replay',
    'Decode dead letters again and hand in what can be read now. Each item is published once, however often this runs.',
  )
    .option('--all', 'Replay all dead letters that are open. Needed if no filter is given.', false)
    .option('--dry-run', 'Only show what would happen.', false)
    .action(async (options: ReplayDeadLettersOptions) => {
      exitCode = await actions.replayDeadLetters(options)
    })

  const providers = program
    .command('providers')
    .description(
      'Look at the aggregators that a source can name, and test or begin the description of one. Needs no configuration.',
    )
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .exitOverride()
  const addProvidersCommand = (name: string, description: string): Command =>
    providers.command(name).description(description).helpOption('-h, --help', 'Print this help.').exitOverride()
  const directoryOption = (): Option =>
    new Option(
      '-d, --directory <directory>',
      'Also read the descriptions in this directory, as providers.directory does.',
    )
  const jsonOption = (): Option =>
    new Option('--json', 'Print one JSON value for programs, also for errors.').default(false)
  addProvidersCommand('list', 'Show one line for each provider.')
    .addOption(directoryOption())
    .addOption(jsonOption())
    .action(async (options: ProvidersOptions) => {
      exitCode = await actions.listProviders(options)
    })
  addProvidersCommand('show', 'Show what is known of a provider, how sure it is, and its description.')
    .argument('<name>', 'The name of the provider.')
    .addOption(directoryOption())
    .addOption(jsonOption())
    .action(async (name: string, options: ProvidersOptions) => {
      exitCode = await actions.showProvider(name, options)
    })
  addProvidersCommand('test', 'Run the samples of a description, or decode a captured request, and show the items.')
    .argument('<file>', 'The description.')
    .option('-r, --request <file>', 'Decode the captured request in this file instead of the samples.')
    .addOption(jsonOption())
    .action(async (file: string, options: TestProviderOptions) => {
      exitCode = await actions.testProvider(file, options)
    })
  addProvidersCommand('new', 'Begin a description from a captured request. It guesses, and says so.')
    .argument('<name>', 'The name of the provider.')
    .requiredOption('-r, --request <file>', 'The captured request: as it was sent over HTTP, or its body alone.')
    .option('-o, --output <file>', 'Write the description to this file, which must not exist.')
    .action(async (name: string, options: NewProviderOptions) => {
      exitCode = await actions.newProvider(name, options)
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
      const leaves = program.commands.flatMap((each) => [each, ...each.commands])
      return leaves.some((each) => each.opts<{ json?: boolean }>().json)
    },
  }
}

/** Returns the first word that stands where a command is expected and is none. */
function findUnknownCommand(program: Command, args: readonly string[]): string | undefined {
  const words = args.filter((arg) => arg === '-' || !arg.startsWith('-'))
  let parent = program
  for (const word of words) {
    if (parent.commands.length === 0) return undefined
    if (word === 'help') continue
    const command = parent.commands.find((each) => each.name() === word)
    if (command === undefined) return word
    parent = command
  }
  return undefined
}
