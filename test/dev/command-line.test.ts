import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const DEV = join(import.meta.dirname, '../../dev')
const run = (program: string, ...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', join(DEV, program), ...args], { encoding: 'utf8', timeout: 50_000 })

describe.each(['stack/main.ts', 'demo/main.ts', 'simulators/main.ts'])('The command dev/%s', (program) => {
  it('ends with 2 and a sentence without a stack trace for an unknown option', () => {
    const { status, stdout, stderr } = run(program, '--nonsense')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^Unknown option '--nonsense'/)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  it('prints its usage and ends with 0 for --help', () => {
    const { status, stdout } = run(program, '--help')
    expect(status).toBe(0)
    expect(stdout).toMatch(/npm run/)
  })
})
