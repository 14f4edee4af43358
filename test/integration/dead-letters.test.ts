/** `dead-letters` as its users run it, with a real broker and registry, beside a running connector and without one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CommandResult, runCommand } from '../../dev/connector/command.js'
import { MAIN } from '../../dev/connector/program.js'
import { freePort } from '../../dev/ports.js'
import { startTrial, type Trial, untilPublished } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { call } from '../support/call.js'

const TEXT = 'a text in a field that no one had named'

/** About twenty commands, each of which starts a process that connects to the brokers. */
const TEST_TIMEOUT_MS = 180_000

interface ListedLetter {
  readonly eventId: string
  readonly source: string
  readonly reason: string
  readonly replayedAt: number | null
}

let trial: Trial

beforeAll(async () => {
  trial = await startTrial({ brokers: inject('brokers'), registryUrl: inject('registryUrl') })
  await trial.configure(({ kafka }) => {
    kafka['topics'] = { ...trial.topics, deadLetterReplays: `${trial.name}.replays` }
  })
})
afterAll(async () => {
  await trial?.stop()
})

const deadLetters = (...args: string[]): Promise<CommandResult> =>
  runCommand(['dead-letters', ...args, '--config', 'connector.yaml'], { cwd: trial.folder })

const linesOf = <T>({ stdout }: CommandResult): T[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)

const list = async (...args: string[]): Promise<ListedLetter[]> => {
  const result = await deadLetters('list', '--json', ...args)
  expect(result).toMatchObject({ code: 0, stderr: '' })
  return linesOf(result)
}

/** Corrects the configuration, so that the text of the message in the queue can be found. */
const nameTextField = ({ sources }: { sources: Record<string, Record<string, unknown>> }): void => {
  sources['mtarget-fr']!['textFields'] = ['Wording']
}

const eventIdsOn = async (topic: string): Promise<string[]> =>
  (await trial.readAll()).filter((record) => record.topic === topic).map(({ value }) => String(value['eventId']))

describe('dead-letters', () => {
  it(
    'lists, shows and replays dead letters of a queue and of callbacks, each item of which is published once',
    { timeout: TEST_TIMEOUT_MS },
    async () => {
      await trial.connector.start()
      const queued = { Status: '5', Msisdn: '33612345678', Wording: TEXT }
      trial.mtarget.enqueue([queued, { ...queued, Msisdn: '33612345679' }] as never)
      const large = `{"broken": "${'x'.repeat(900_000)}`
      const headers = { 'content-type': 'application/json' }
      expect((await call(trial.callbackUrl, { body: large, headers })).status).toBe(200)
      await until(async () => (await trial.sum('dlrmo_dead_letters_total')) === 3)

      const open = await list()
      expect(open.map(({ source }) => source).sort()).toEqual(['mtarget-fr', 'mtarget-fr', 'seven-main'])
      const queuedLetters = await list('--source', 'mtarget-fr', '--reason', 'missing-text', '--since', '1h')
      expect(queuedLetters).toHaveLength(2)
      expect(await list('--until', '1h')).toEqual([])
      expect(await list('--replayed')).toEqual([])
      const ids = queuedLetters.map(({ eventId }) => eventId)
      const [first = '', second = ''] = ids
      const [callback] = open.filter(({ source }) => source === 'seven-main')

      // Bodies are personal data.
      const masked = await deadLetters('show', first)
      expect(masked).toMatchObject({ code: 0, stderr: '' })
      expect(masked.stdout).toContain('missing-text')
      expect(masked.stdout).not.toContain(TEXT)
      expect(masked.stdout).not.toContain('33612345678')
      const plain = await deadLetters('show', first, '--personal-data', 'plain')
      expect(plain.stdout).toMatch(new RegExp(`^body: \\d+ bytes, text\\n\\n.*${TEXT}`, 'ms'))
      const joined = await deadLetters('show', callback!.eventId, '--personal-data', 'plain', '--json')
      const [shown] = linesOf<{ body: string; parts: number }>(joined)
      expect(shown!.parts).toBeGreaterThan(1)
      expect(Buffer.from(shown!.body, 'base64').toString()).toBe(large)
      expect(await deadLetters('show', 'no-such-id')).toMatchObject({ code: 2, stdout: '' })

      // Before the correction everything stays where it is, with the reason.
      const unreadable = await deadLetters('replay', '--all')
      expect(unreadable).toMatchObject({ code: 2, stderr: expect.stringContaining('3 unreadable') as string })
      expect(unreadable.stdout).toContain('missing-text')
      expect(await list()).toHaveLength(3)

      await trial.connector.terminate()
      await trial.configure(nameTextField)
      const dryRun = await deadLetters('replay', '--source', 'mtarget-fr', '--dry-run', '--json')
      expect(dryRun.code).toBe(0)
      expect(linesOf(dryRun)).toMatchObject(ids.map((eventId) => ({ eventId, outcome: 'would-hand-in' })))

      // Without a connector an entry goes into the journal, and the next run publishes it.
      for (let round = 0; round < 2; round++) {
        const replayed = await deadLetters('replay', '--event-id', first)
        expect(replayed).toMatchObject({ code: 0, stderr: expect.stringContaining('which no process holds') as string })
      }
      await trial.connector.start()
      await untilPublished(trial)
      expect(await eventIdsOn(trial.topics.mo)).toEqual([first])

      // Beside a connector, twice, and once by a command that is killed when it says what it has handed in.
      const killed = spawn(process.execPath, [MAIN, 'dead-letters', 'replay', '--event-id', second], {
        cwd: trial.folder,
        env: { ...process.env, CONNECTOR_CONFIG: 'connector.yaml' },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const exited = once(killed, 'exit')
      await once(killed.stdout, 'data')
      killed.kill('SIGKILL')
      await exited
      const beside = await deadLetters('replay', '--event-id', second, '--json')
      expect(beside).toMatchObject({ code: 0 })
      await untilPublished(trial)
      const again = await deadLetters('replay', '--event-id', second, '--json')
      expect(again.code).toBe(0)
      expect(linesOf(again)).toMatchObject([{ eventId: second, outcome: 'already-replayed' }])
      expect((await eventIdsOn(trial.topics.mo)).sort()).toEqual([...ids].sort())

      expect(await list('--source', 'mtarget-fr')).toEqual([])
      expect((await list('--replayed')).map(({ eventId }) => eventId).sort()).toEqual([...ids].sort())
      expect(await list('--all')).toHaveLength(3)
      expect(await deadLetters('replay', '--source', 'mtarget-fr')).toMatchObject({ code: 0, stdout: '' })
    },
  )

  it('replay refuses to hand in where a process holds the journal whose admin API does not answer', async () => {
    await trial.connector.start()
    const port = await freePort()
    await trial.configure(({ admin }) => {
      admin['port'] = port
    })
    const refused = await deadLetters('replay', '--all')
    expect(refused).toMatchObject({ code: 4, stdout: '' })
    expect(refused.stderr).toContain('does not answer')
  })
})
