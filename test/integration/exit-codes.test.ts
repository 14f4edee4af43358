/** Exit codes and messages of the process, as scripts and orchestrators see them. */
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, it, onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import type { GuardedChild } from '../../dev/guarded-child.js'
import { freePort } from '../../dev/ports.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { distinctAnswers, sendReceipts, expectEachItemOnce } from '../support/trial-assertions.js'
import { call } from '../support/call.js'
import { runCommand, startCommand, type CommandResult } from '../../dev/connector/command.js'
import { startTrial, untilPublished, type Trial, type TrialConfiguration } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const data = new ProviderData(21)

let trial: Trial
afterEach(() => trial?.stop())

const begin = async (change?: (configuration: TrialConfiguration) => void): Promise<void> => {
  trial = await startTrial(stack, change)
}

/** An address that nothing listens on. */
const unusedAddress = async (): Promise<string> => `127.0.0.1:${await freePort()}`

/** Runs a command in the trial's folder with the trial's configuration. */
const runInFolder = (...args: string[]): Promise<CommandResult> =>
  runCommand([...args, '--config', 'connector.yaml'], { cwd: trial.folder })

const isReady = (adminUrl = trial.adminUrl): Promise<boolean> =>
  call(`${adminUrl}/readyz`).then(
    ({ status }) => status === 200,
    () => false,
  )

/** Kills the process when the test has finished. */
const killAfterTest = (child: GuardedChild): GuardedChild => {
  onTestFinished(async () => {
    child.signal('SIGKILL')
    await child.exited
  })
  return child
}

describe('The command line', () => {
  const cwd = '.'

  it.each([[['--help']], [['run', '--help']], [['check', '--help']], [['help', 'run']], [['--version']]])(
    'prints to standard output and ends with 0 for the arguments %j',
    async (args) => {
      const { code, stdout, stderr } = await runCommand(args, { cwd })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/dlr-mo-connector|\d+\.\d+\.\d+/)
    },
  )

  it.each([
    [['rnu'], /unknown command 'rnu'/],
    [['rnu', '--help'], /unknown command 'rnu'/],
    [['run', '--drian'], /unknown option '--drian'/],
    [['run', 'connector.yaml'], /too many arguments/],
    [['run', '--config'], /argument missing/],
    [['run', '--timeout', '3s'], /--timeout has an effect only with --drain/],
    [['run', '--drain', '--timeout', 'soon'], /"soon".*30s/],
    [[], /Usage:/],
  ])('prints the reason to standard error and ends with 2 for the arguments %j', async (args, reason) => {
    const { code, stdout, stderr } = await runCommand(args, { cwd })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(reason)
  })
})

describe('A configuration file', () => {
  it.each(['run', 'check'])('that is invalid ends %s with 2, with every problem on standard error', async (command) => {
    await begin()
    const wrong = [
      'kafka:',
      '  brokerz: 127.0.0.1:9092',
      '  requestTimeout: soon',
      'sources:',
      '  a: {provider: mtarget}',
    ]
    await writeFile(join(trial.folder, 'connector.yaml'), wrong.join('\n'))
    const { code, stdout, stderr } = await runInFolder(command)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/connector.yaml:2:3 kafka.brokerz: .*brokers/)
    expect(stderr).toMatch(/connector.yaml:3:19 kafka.requestTimeout: .*"soon"/)
    expect(stderr).toMatch(/kafka.brokers: is missing/)
    expect(stderr).toMatch(/registry.url: is missing/)
    expect(stderr).toMatch(/connector.yaml:5:3 sources.a: /)
    const forMachines = await runInFolder(command, '--json')
    expect(forMachines.code).toBe(2)
    const { ok, error } = JSON.parse(forMachines.stdout) as { ok: boolean; error: { code: string; message: string } }
    expect({ ok, code: error.code }).toEqual({ ok: false, code: 'CONFIG_INVALID' })
    expect(error.message).toContain('kafka.brokerz')
  })

  it.each(['run', 'check'])('that is a pipe ends %s with 2 without waiting for its writer', async (command) => {
    await begin()
    execFileSync('mkfifo', [join(trial.folder, 'pipe.yaml')])
    const { code, stderr } = await runCommand([command, '--config', 'pipe.yaml'], { cwd: trial.folder })
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('pipe.yaml: is not a regular file') as string,
    })
  })

  it('that does not exist ends run with 2 and the name of the file', async () => {
    await begin()
    const named = await runCommand(['run', '--config', 'nowhere.yaml'], { cwd: trial.folder })
    expect(named).toMatchObject({ code: 2, stderr: expect.stringMatching(/nowhere.yaml: does not exist/) as string })
    const byDefault = await runCommand(['run'], { cwd: trial.folder })
    expect(byDefault.stderr).toMatch(/config\/connector.yaml: does not exist/)
    const env = { CONNECTOR_CONFIG: 'elsewhere.yaml' }
    expect((await runCommand(['run'], { cwd: trial.folder, env })).stderr).toMatch(/elsewhere.yaml: does not exist/)
    const both = await runCommand(['run', '--config', 'nowhere.yaml'], { cwd: trial.folder, env })
    expect(both.stderr).toMatch(/nowhere.yaml: does not exist/)
  })

  it('is found by CONNECTOR_CONFIG, and its paths are relative to the working directory', async () => {
    await begin()
    const cwd = join(trial.folder, 'elsewhere')
    await mkdir(cwd)
    const child = killAfterTest(await startCommand(['run'], { cwd, env: { CONNECTOR_CONFIG: '../connector.yaml' } }))
    await until(() => isReady())
    await until(async () => (await trial.status()).registry.state === 'ok')
    child.signal('SIGTERM')
    expect(await child.exited).toBe(0)
    expect(await readFile(join(cwd, 'journal', 'schema-ids.json'), 'utf8')).toMatch(trial.topics.dlr)
  })
})

describe('A journal.directory that can hold no journal', () => {
  it.each([
    ['in a file system of the kernel', '/proc/x', /kernel's file system procfs/],
    ['that is a link to nothing', 'link', /is a symbolic link to a path that does not exist/],
    ['below a link to nothing', 'link/journal', /is a symbolic link to a path that does not exist/],
    ['that is a file', 'connector.yaml', /is not a directory/],
  ])('%s ends run and check with 2 and the same sentence', async (_what, directory, problem) => {
    await begin((configuration) => (configuration['journal'] = { directory }))
    await symlink('nothing', join(trial.folder, 'link'))
    const run = await runInFolder('run')
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toMatch(problem)
    const check = await runInFolder('check')
    expect(check.code).toBe(2)
    const sentence = run.stderr.trim().slice('dlr-mo-connector: '.length)
    expect(check.stdout).toMatch(/^FAILED +journal +/m)
    expect(check.stdout).toContain(sentence)
  })
})

describe('The command check', () => {
  it('ends with 0 if everything is in order, changes nothing, and reports the same as JSON', async () => {
    await begin()
    const { code, stdout, stderr } = await runInFolder('check')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^ok +configuration/)
    const forMachines = await runInFolder('check', '--json')
    expect(forMachines.code).toBe(0)
    const { ok, checks } = JSON.parse(forMachines.stdout) as { ok: boolean; checks: { name: string; ok: boolean }[] }
    expect(ok).toBe(true)
    expect(JSON.parse(forMachines.stdout)).toMatchObject({ configuration: { kafka: { topics: trial.topics } } })
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['configuration', 'journal', 'kafka']))
    const subjects = (await (await fetch(`${stack.registryUrl}/subjects`)).json()) as string[]
    expect(subjects.filter((subject) => subject.startsWith(trial.name))).toEqual([])
  })

  it('ends with 0 and warns of a latest version that the registry lets ours follow, and that consumers can not use', async () => {
    await begin()
    const schema = { type: 'record', name: 'DeliveryReceipt', namespace: 'sms.events', fields: [] as object[] }
    schema.fields.push({ name: 'eventId', type: 'long' })
    const subject = `${stack.registryUrl}/subjects/${trial.topics.dlr}-value`
    const headers = { 'content-type': 'application/json' }
    const registration = { method: 'POST', headers, body: JSON.stringify({ schema: JSON.stringify(schema) }) }
    expect((await fetch(`${subject}/versions`, registration)).status).toBe(200)
    const { code, stdout } = await runInFolder('check')
    expect(code).toBe(0)
    const expected = "consumers that read with version 1, .*field eventId: string can't be read as long"
    expect(stdout).toMatch(new RegExp(`^warning +schema ${trial.topics.dlr}-value .*${expected}`, 'm'))
    const forMachines = JSON.parse((await runInFolder('check', '--json')).stdout) as {
      checks: { warnings: string[] }[]
    }
    expect(forMachines.checks.flatMap(({ warnings }) => warnings).join()).toMatch(new RegExp(expected))
  })

  it('ends with 3 and names the dependencies that can not be reached', async () => {
    const [broker, registry] = [await unusedAddress(), await unusedAddress()]
    await begin((configuration) => {
      configuration.kafka['brokers'] = [broker]
      configuration.kafka['requestTimeout'] = '500ms'
      configuration.registry['url'] = `http://${registry}`
    })
    const { code, stdout } = await runInFolder('check')
    expect(code).toBe(3)
    const linesOf = (word: string): string[] => stdout.split('\n').filter((line) => line.startsWith(`${word} `))
    expect(linesOf('FAILED')).toEqual([
      expect.stringMatching(
        new RegExp(`FAILED +registry .*http://${registry}.*can't be reached.*; check registry.url`),
      ),
      expect.stringMatching(new RegExp(`FAILED +kafka .*${broker}`)),
    ])
    const skipped = (name: string, failed: string): unknown =>
      expect.stringMatching(new RegExp(`^not checked +${name} +skipped, because the check of ${failed} failed$`))
    const { dlr, mo, deadLetter } = trial.topics
    expect(linesOf('not checked')).toEqual([
      ...[dlr, mo, deadLetter].map((topic) => skipped(`schema ${topic}-value`, 'registry')),
      skipped('clock', 'registry'),
      skipped('topic limits', 'kafka'),
      skipped('replays', 'kafka'),
      skipped('rights', 'kafka'),
      skipped('position', 'kafka'),
    ])
    const forMachines = JSON.parse((await runInFolder('check', '--json')).stdout) as {
      ok: boolean
      checks: { name: string; ok: boolean; state: string }[]
    }
    expect(forMachines.ok).toBe(false)
    expect(forMachines.checks.filter(({ name }) => name === 'registry')).toMatchObject([{ ok: false, state: 'failed' }])
    const schemas = forMachines.checks.filter(({ name }) => name.startsWith('schema '))
    const skippedSchema = { ok: false, state: 'not-checked', exitCode: 0 }
    expect(schemas).toMatchObject([skippedSchema, skippedSchema, skippedSchema])
  })

  it('ends with 3 if topics are missing that run must not create, and checks everything else all the same', async () => {
    await begin((configuration) => {
      delete configuration.kafka['createTopics']
      configuration['sharing'] = { group: 'any', topic: 'missing.sources' }
    })
    const { code, stdout } = await runInFolder('check')
    expect(code).toBe(3)
    expect(stdout).toMatch(new RegExp(`^FAILED +kafka .*${trial.topics.dlr}`, 'm'))
    expect(stdout).toMatch(/^ok +registry .* answers$/m)
    expect(stdout).toMatch(/^FAILED +sharing +topic missing\.sources does not exist/m)
    for (const name of ['rights', 'position']) expect(stdout).toMatch(new RegExp(`^ok +${name} `, 'm'))
    expect(stdout).not.toMatch(/^not checked/m)
  })
})

describe('A port that is in use', () => {
  it.each(['callbacks', 'admin'] as const)(
    'of the %s server ends run with 2 and the key of the configuration',
    async (section) => {
      await begin()
      const occupied = createServer()
      await new Promise<void>((resolve) => occupied.listen(0, '127.0.0.1', resolve))
      const { port } = occupied.address() as AddressInfo
      try {
        await trial.configure((configuration) => (configuration[section]['port'] = port))
        const { code, stderr } = await runInFolder('run')
        expect({ code, stderr }).toEqual({
          code: 2,
          stderr: expect.stringMatching(`${section}.port: can't listen on 127.0.0.1:${port}: it is in use`) as string,
        })
      } finally {
        occupied.close()
      }
      await trial.configure((configuration) => {
        configuration[section]['port'] =
          section === 'admin' ? trial.connector.addresses.adminPort : trial.connector.addresses.callbacksPort
      })
      // The failed start has released everything that it had opened.
      await trial.connector.start()
      expect(await trial.connector.terminate()).toBe(0)
    },
  )
})

describe('A second process', () => {
  it('with the same journal ends with 4, and the first one continues', async () => {
    await begin()
    await trial.connector.start()
    await trial.configure(({ callbacks, admin }) => {
      callbacks['port'] = 0
      admin['port'] = 0
    })
    for (const args of [['run'], ['run', '--drain']]) {
      const { code, stderr } = await runInFolder(...args)
      expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringMatching(/journal.*held by another/) as string })
    }
    expect(distinctAnswers(await sendReceipts(trial, data, 20))).toEqual([200])
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)
    expectEachItemOnce(trial, await trial.readAll())
  })

  it('with the same instance and another journal takes over: the first one ends with 4, and nothing is lost or doubled', async () => {
    await begin()
    await trial.connector.start()
    await sendReceipts(trial, data, 20)
    await untilPublished(trial)

    const younger = { callbacksPort: await freePort(), adminPort: await freePort() }
    const configuration: Record<string, unknown> = {}
    await trial.configure((original) => {
      Object.assign(configuration, {
        ...original,
        journal: { directory: 'another-journal' },
        callbacks: { host: '127.0.0.1', port: younger.callbacksPort },
        admin: { port: younger.adminPort },
      })
    })
    await writeFile(join(trial.folder, 'younger.yaml'), stringify(configuration))
    const second = killAfterTest(await startCommand(['run', '--config', 'younger.yaml'], { cwd: trial.folder }))
    const secondUrl = trial.callbackUrl.replace(/:\d+\//, `:${younger.callbacksPort}/`)
    await until(() => isReady(`http://127.0.0.1:${younger.adminPort}`))
    await call(`${secondUrl}?msg_id=younger-1&status=DELIVERED`)
    const isPublished = async (count: number): Promise<boolean> => {
      const { journal } = (await (await fetch(`http://127.0.0.1:${younger.adminPort}/status.json`)).json()) as {
        journal: { entries: number }
      }
      const metrics = await (await fetch(`http://127.0.0.1:${younger.adminPort}/metrics`)).text()
      return (
        journal.entries === 0 &&
        metrics.includes(`dlrmo_events_published_total{source="seven-main",kind="dlr"} ${count}`)
      )
    }
    await until(() => isPublished(1))

    // The first process is fenced when it publishes. What it has received by then stays in its journal.
    const [first] = await sendReceipts(trial, data, 20)
    expect(first?.status).toBe(200)
    await until(() => trial.connector.exitCode !== undefined)
    expect(trial.connector.exitCode).toBe(4)
    expect(await trial.connector.endOfLog()).toMatch(/another process publishes under instance/)
    await call(`${secondUrl}?msg_id=younger-2&status=DELIVERED`)
    await until(() => isPublished(2))
    second.signal('SIGTERM')
    expect(await second.exited).toBe(0)

    expect(await runInFolder('run', '--drain')).toMatchObject({ code: 0, stderr: '' })
    const seen = await trial.readAll()
    expect(seen.filter(({ key }) => key.startsWith('younger-'))).toHaveLength(2)
    const ids = ['younger-1', 'younger-2']
    expectEachItemOnce(
      trial,
      seen,
      ids.map((msg_id) => ({ msg_id, status: 'DELIVERED' })),
    )
  })
})

describe('The command run --drain', () => {
  it('publishes what the journal holds, receives nothing, and ends with 0', async () => {
    const unreachable = await unusedAddress()
    await begin(({ kafka }) => (kafka['brokers'] = [unreachable]))
    await trial.connector.start()
    trial.mtarget.enqueue(data.mtargetMix(30))
    await sendReceipts(trial, data, 30)
    await until(() => trial.mtarget.queued === 0 && trial.mtarget.answers.at(-1)?.rows.length === 0)
    await trial.connector.kill()

    trial.mtarget.enqueue(data.mtargetMix(10))
    const { length } = trial.mtarget.answers
    const refused = await runInFolder('run', '--drain', '--timeout', '2s')
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/journal is not empty/) as string })

    await trial.configure(({ kafka }) => (kafka['brokers'] = [...stack.brokers]))
    expect(await runInFolder('run', '--drain', '--timeout', '50s')).toMatchObject({ code: 0, stderr: '' })
    expect(trial.mtarget.answers).toHaveLength(length)
    expect(await runInFolder('run', '--drain')).toMatchObject({ code: 0, stderr: '' })
    const seen = await trial.readAll()
    expect(seen).toHaveLength(60)
    expectEachItemOnce(trial, seen)
  })
})

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  const startWithoutKafka = async (shutdownGrace: string): Promise<GuardedChild> => {
    const [broker, registry] = [await unusedAddress(), await unusedAddress()]
    await begin((configuration) => {
      configuration.kafka['brokers'] = [broker]
      configuration.registry['url'] = `http://${registry}`
      configuration['shutdownGrace'] = shutdownGrace
    })
    const child = killAfterTest(await startCommand(['run', '--config', 'connector.yaml'], { cwd: trial.folder }))
    await until(() => isReady())
    await sendReceipts(trial, data, 10)
    return child
  }
  const log = (): Promise<string> => readFile(join(trial.folder, 'program.log'), 'utf8')

  it('ends run with 0 while it loads its modules, before anything is in custody', async () => {
    await begin()
    const child = killAfterTest(await startCommand(['run', '--config', 'connector.yaml'], { cwd: trial.folder }))
    await until(async () => (await readFile(`/proc/${child.pid}/maps`, 'utf8')).includes('/lmdb'))
    child.signal(signal)
    expect(await child.exited).toBe(0)
  })

  it('ends run with 0 after everything received is published', async () => {
    await begin()
    const child = killAfterTest(await startCommand(['run', '--config', 'connector.yaml'], { cwd: trial.folder }))
    await until(() => isReady())
    await sendReceipts(trial, data, 50)
    child.signal(signal)
    expect(await child.exited).toBe(0)
    const seen = await trial.readAll()
    expect(seen).toHaveLength(50)
    expectEachItemOnce(trial, seen)
  })

  it('ends run with 0 without Kafka and registry, and everything received stays in the journal', async () => {
    const child = await startWithoutKafka('500ms')
    child.signal(signal)
    expect(await child.exited).toBe(0)
    expect(await log()).toMatch(/"entries":10,"msg":"entries stay in the journal for the next start"/)
    await trial.configure(({ kafka, registry }) => {
      kafka['brokers'] = [...stack.brokers]
      registry['url'] = stack.registryUrl
    })
    expect(await runInFolder('run', '--drain')).toMatchObject({ code: 0, stderr: '' })
    expectEachItemOnce(trial, await trial.readAll())
  })

  it('received a second time ends run without waiting for publishing', async () => {
    const child = await startWithoutKafka('1h')
    child.signal(signal)
    await until(async () => (await log()).includes(`received ${signal}, stopping`))
    expect(child.exitCode).toBeUndefined()
    child.signal(signal)
    expect(await child.exited).toBe(0)
  })
})
