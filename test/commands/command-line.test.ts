import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCommandLine } from '../../src/commands/command-line.js'

const OPTIONS = [
  '--help',
  '-h',
  '--json',
  '--version',
  '-V',
  '--drain',
  '--config',
  '-c',
  '--config=a.yaml',
  '--',
  '--timeout',
]
const KNOWN = ['run', 'check', 'tail', 'schemas', 'journal', 'dead-letters', 'providers']
/** Commands that were announced or may be guessed, and words that are none. */
const word = fc.oneof(
  fc.constantFrom(
    'dead-letter',
    'schema',
    'journals',
    'tails',
    'provider',
    'nonsense',
    'Run',
    'runs',
    'constructor',
    '-',
    'RUN',
  ),
  fc.string({ minLength: 1 }).filter((text) => !text.startsWith('-') && text !== 'help' && !KNOWN.includes(text)),
)
const option = fc.constantFrom(...OPTIONS)

let printed: { stdout: string; stderr: string }
beforeEach(() => {
  printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += String(text)
      return true
    })
  }
})
afterEach(() => {
  vi.restoreAllMocks()
})

async function execute(args: readonly string[]): Promise<{ code: number; called: string[] }> {
  const called: string[] = []
  const record = (name: string) => () => {
    called.push(name)
    return Promise.resolve(0)
  }
  const code = await createCommandLine({
    run: record('run'),
    check: record('check'),
    tail: record('tail'),
    checkSchemas: record('schemas check'),
    registerSchemas: record('schemas register'),
    showJournalStatus: record('journal status'),
    listJournal: record('journal list'),
    exportJournal: record('journal export'),
    importJournal: record('journal import'),
    listDeadLetters: record('dead-letters list'),
    showDeadLetter: record('dead-letters show'),
    replayDeadLetters: record('dead-letters replay'),
    listProviders: record('providers list'),
    showProvider: record('providers show'),
    testProvider: record('providers test'),
    newProvider: record('providers new'),
  }).execute(args)
  return { code, called }
}

describe('The command line', () => {
  it('ends with 2 for an unknown command, whatever options stand before and behind it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(option, { maxLength: 3 }),
        word,
        fc.array(fc.oneof(option, word, fc.constantFrom(...KNOWN, 'help')), { maxLength: 4 }),
        async (before, unknown, behind) => {
          printed = { stdout: '', stderr: '' }
          expect(await execute([...before, unknown, ...behind])).toEqual({ code: 2, called: [] })
          expect(printed.stdout).toBe('')
          expect(printed.stderr).toContain(`unknown command '${unknown}'`)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('ends with 2 for help on an unknown command', async () => {
    await fc.assert(
      fc.asyncProperty(word, fc.array(option, { maxLength: 3 }), async (unknown, options) => {
        expect(await execute(['help', unknown, ...options])).toEqual({ code: 2, called: [] })
        expect(await execute([...options, 'help', unknown])).toEqual({ code: 2, called: [] })
      }),
    )
  })

  it.each([
    ['provider', '--help'],
    ['schema', '--help'],
    ['schemas', 'chekc'],
    ['schemas', '--json'],
    ['tail', 'nonsense'],
    ['tail', '--personal-data=show'],
    ['--json', 'nonsense'],
    ['--help', 'nonsense'],
    ['--', 'nonsense'],
  ])('ends with 2 for the arguments %s %s', async (...args) => {
    expect(await execute(args)).toEqual({ code: 2, called: [] })
  })

  it.each([
    ['run', ['run']],
    ['check', ['check', '--json']],
    ['run', ['run', '--config', 'nonsense']],
    ['run', ['run', '-c', 'schemas', '--drain']],
    ['tail', ['tail']],
    ['tail', ['tail', 'dead-letter', '-f', '-n', '3', '--personal-data', 'plain']],
    ['schemas check', ['schemas', 'check', '--json']],
    ['schemas register', ['schemas', 'register', '-c', 'nonsense']],
    ['journal status', ['journal', 'status', '--directory', 'nonsense']],
    ['journal export', ['journal', 'export', '-o', 'file', '--raw', 'directory', '--offline']],
    [
      'dead-letters list',
      ['dead-letters', 'list', '--source', 's', '--reason', 'r', '--since', '1h', '--replayed', '--json'],
    ],
    ['dead-letters show', ['dead-letters', 'show', 'abc-1-0', '--personal-data', 'plain']],
    ['dead-letters replay', ['dead-letters', 'replay', '--event-id', 'abc-1-0', '--dry-run']],
    ['journal list', ['journal', 'list', '-n', '3', '--since', '1h', '--until', '10m', '--source', 's', '--json']],
  ])('runs %s for the arguments %j', async (command, args) => {
    expect(await execute(args)).toEqual({ code: 0, called: [command] })
  })

  it.each([
    [['--help']],
    [['-h']],
    [['--version']],
    [['help']],
    [['help', 'run']],
    [['check', '--help']],
    [['tail', '--help']],
    [['schemas', '--help']],
    [['schemas', 'check', '--help']],
    [['help', 'schemas']],
  ])('prints help or version and ends with 0 for the arguments %j', async (args) => {
    expect(await execute(args)).toEqual({ code: 0, called: [] })
    expect(printed.stdout).not.toBe('')
  })

  it('knows that JSON is requested also for a command of a group', async () => {
    const done = (): Promise<number> => Promise.resolve(0)
    const actions = {
      run: done,
      check: done,
      tail: done,
      checkSchemas: done,
      registerSchemas: done,
      showJournalStatus: done,
      listJournal: done,
      exportJournal: done,
      importJournal: done,
      listDeadLetters: done,
      showDeadLetter: done,
      replayDeadLetters: done,
      listProviders: done,
      showProvider: done,
      testProvider: done,
      newProvider: done,
    }
    for (const args of [
      ['check'],
      ['tail', 'mo'],
      ['schemas', 'check'],
      ['journal', 'status'],
      ['dead-letters', 'list'],
      ['providers', 'list'],
    ]) {
      const [plain, json] = [createCommandLine(actions), createCommandLine(actions)]
      await plain.execute(args)
      await json.execute([...args, '--json'])
      expect([plain.isJsonRequested, json.isJsonRequested]).toEqual([false, true])
    }
  })
})
