import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openOwnFile, readRegularFile } from '../../src/core/files.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const withCode = (code: string) => expect.objectContaining({ code }) as Error

describe('readRegularFile', () => {
  it('reads a file, also behind the links by which Kubernetes mounts a secret', () => {
    mkdirSync(join(folder, '..2026_11_28'))
    writeFileSync(join(folder, '..2026_11_28', 'token'), 'secret')
    symlinkSync('..2026_11_28', join(folder, '..data'))
    symlinkSync(join('..data', 'token'), join(folder, 'token'))
    expect(readRegularFile(join(folder, 'token'), 100).toString()).toBe('secret')
  })

  it('reads a file of exactly the limit, and refuses one of a byte more', () => {
    const file = join(folder, 'file')
    writeFileSync(file, 'x'.repeat(200_000))
    expect(readRegularFile(file, 200_000)).toHaveLength(200_000)
    expect(() => readRegularFile(file, 199_999)).toThrow(withCode('TOO_LARGE'))
    writeFileSync(file, '')
    expect(readRegularFile(file, 0)).toHaveLength(0)
  })

  it.skipIf(process.platform !== 'linux')('reads a file of /proc, whose size is 0 although it has content', () => {
    expect(readRegularFile('/proc/self/status', 100_000).toString()).toContain('Pid:')
  })

  it('refuses devices, pipes and directories without waiting', () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    expect(() => readRegularFile(pipe, 100)).toThrow(withCode('NOT_A_FILE'))
    expect(() => readRegularFile('/dev/zero', 100)).toThrow(withCode('NOT_A_FILE'))
    expect(() => readRegularFile(folder, 100)).toThrow(withCode('EISDIR'))
    expect(() => readRegularFile(join(folder, 'none'), 100)).toThrow(withCode('ENOENT'))
  })
})

describe('openOwnFile', () => {
  const flags = constants.O_WRONLY | constants.O_CREAT

  it('creates a file for its owner alone', () => {
    closeSync(openOwnFile(join(folder, 'file'), flags))
    expect(statSync(join(folder, 'file')).mode & 0o777).toBe(0o600)
  })

  it('refuses links and pipes', () => {
    const target = join(folder, 'target')
    writeFileSync(target, '')
    symlinkSync(target, join(folder, 'symbolic'))
    linkSync(target, join(folder, 'hard'))
    execFileSync('mkfifo', [join(folder, 'pipe')])
    expect(() => openOwnFile(join(folder, 'symbolic'), flags)).toThrow(withCode('ELOOP'))
    expect(() => openOwnFile(join(folder, 'hard'), flags)).toThrow(withCode('HAS_OTHER_NAMES'))
    expect(() => openOwnFile(join(folder, 'pipe'), constants.O_RDWR)).toThrow(withCode('NOT_A_FILE'))
    expect(() => openOwnFile(join(folder, 'pipe'), flags)).toThrow(withCode('ENXIO'))
  })
})
