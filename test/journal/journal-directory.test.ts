/** Nobody but the user of the connector reads the journal, and nothing in its directory leads the connector to another file. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createJournalDirectory,
  describeWideAccess,
  inspectJournalDirectory,
} from '../../src/journal/journal-directory.js'
import { DiskReserve } from '../../src/journal/disk-reserve.js'
import { RememberedSchemaIds } from '../../src/registry/remembered-schema-ids.js'
import { loadSchemas } from '../../src/registry/schemas.js'
import { Journals, MIB } from './support/journals.js'

const journals = new Journals()
let directory: string

beforeEach(() => {
  directory = journals.directory()
})
afterEach(() => journals.dispose())

const subject = { name: 'sms.dlr-value', schema: loadSchemas().dlr }

const modesIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { withFileTypes: true, recursive: true }).map((entry) => [
      entry.name,
      (statSync(join(entry.parentPath, entry.name)).mode & 0o777).toString(8),
    ]),
  )

describe('The files of a journal', () => {
  it('are readable by their owner alone, whatever the umask of the process is', async () => {
    const umask = process.umask(0)
    try {
      const path = join(directory, 'data', 'journal')
      const journal = await journals.open(path, { maxBytes: 40 * MIB, reserveBytes: 4 * MIB })
      await new RememberedSchemaIds(path).set('http://registry', [[subject, { id: 1 }]])
      const isLock = (name: string): boolean => /^lock[.-]/.test(name)
      // A socket is no way to the journal, and its directory is closed to others.
      const modes = Object.entries(modesIn(directory)).filter(([name]) => name === 'lock.mdb' || !isLock(name))
      expect(Object.fromEntries(modes)).toEqual({
        data: '700',
        journal: '700',
        lmdb: '700',
        'data.mdb': '600',
        'lock.mdb': '600',
        'reserve.bin': '600',
        'schema-ids.json': '600',
      })
      await journals.close(journal)
    } finally {
      process.umask(umask)
    }
  })

  it.each(['lmdb', 'reserve.bin', 'schema-ids.json', 'schema-ids.json.new', 'lock.7', 'lock-0a1b2c3d'])(
    'are refused if %s is a symbolic link, and its target stays as it is',
    async (name) => {
      const target = join(journals.directory(), 'target')
      if (name === 'lmdb') mkdirSync(target)
      else writeFileSync(target, 'precious')
      symlinkSync(target, join(directory, name))
      await expect(journals.open(directory)).rejects.toThrow(`${name} is a symbolic link`)
      if (name !== 'lmdb') expect(readFileSync(target, 'utf8')).toBe('precious')
      else expect(readdirSync(target)).toEqual([])
    },
  )

  it.each(['data.mdb', 'lock.mdb'])('are refused if lmdb/%s is a symbolic link', async (name) => {
    const target = join(journals.directory(), 'target')
    mkdirSync(join(directory, 'lmdb'))
    symlinkSync(target, join(directory, 'lmdb', name))
    await expect(journals.open(directory)).rejects.toThrow(`${name} is a symbolic link`)
    expect(existsSync(target)).toBe(false)
  })

  const plant: Readonly<Record<string, (path: string, target: string) => void>> = {
    'a symbolic link': (path, target) => symlinkSync(target, path),
    'a hard link': (path, target) => linkSync(target, path),
    'a pipe': (path) => void execFileSync('mkfifo', [path]),
  }
  it.each(Object.keys(plant))(
    'are never written through %s that is put in the place of the reserve or of the schema ids while the journal is open',
    async (kind) => {
      const target = join(journals.directory(), 'target')
      writeFileSync(target, 'precious')
      const ids = new RememberedSchemaIds(directory)
      for (const name of ['reserve.bin', 'schema-ids.json.new', 'schema-ids.json'])
        plant[kind]!(join(directory, name), target)
      await ids.set('http://registry', [[subject, { id: 7 }]])
      expect(new RememberedSchemaIds(directory).get('http://registry', subject)).toEqual({ id: 7 })
      const reserve = new DiskReserve(directory, MIB)
      // What was planted is removed by the first attempt, and the second one makes the file.
      expect([reserve.restore(), reserve.restore()]).toEqual([false, true])
      reserve.free()
      expect(readFileSync(target, 'utf8')).toBe('precious')
    },
  )

  it('are refused if the data file has another name, by which somebody else may write to it', async () => {
    await journals.close(await journals.open(directory))
    linkSync(join(directory, 'lmdb', 'data.mdb'), join(directory, 'copy'))
    await expect(journals.open(directory)).rejects.toThrow('also the file of another name')
  })
})

describe('describeWideAccess', () => {
  it.each([
    [0o700, false],
    [0o750, true],
    [0o701, true],
    [0o755, true],
    // Kubernetes gives the group of a volume to the pod (fsGroup).
    [0o2770, false],
    [0o2775, true],
  ])('of a directory with mode %o warns: %s', (mode, isWide) => {
    chmodSync(directory, mode)
    const warning = describeWideAccess(directory)
    if (isWide) expect(warning).toContain(`run "chmod -R go-rwx ${directory}"`)
    else expect(warning).toBeUndefined()
  })

  it('is logged when the journal is opened', async () => {
    const lines: unknown[] = []
    const log = { warn: (...args: unknown[]) => void lines.push(args) } as never
    chmodSync(directory, 0o755)
    await journals.open(directory, { log })
    expect(lines).toContainEqual([{ event: 'journal-access-wide' }, expect.stringContaining('mode 0755')])
  })
})

describe('A directory for a journal', () => {
  const invalid = (message: string): unknown =>
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) as string })
  const problemOf = (path: string): unknown => {
    try {
      return inspectJournalDirectory(path)
    } catch (error) {
      return error
    }
  }

  it('that exists, or can be made, has no problem', () => {
    expect(problemOf(directory)).toBe(true)
    const path = join(directory, 'a', 'b')
    expect(problemOf(path)).toBe(false)
    expect(existsSync(join(directory, 'a'))).toBe(false)
    createJournalDirectory(path)
    expect(problemOf(path)).toBe(true)
  })

  it('may be a symbolic link to a directory', () => {
    const link = join(directory, 'link')
    symlinkSync(journals.directory(), link)
    expect(problemOf(link)).toBe(true)
    expect(problemOf(join(link, 'below'))).toBe(false)
  })

  it.skipIf(process.platform !== 'linux').each(['/proc/x', '/proc/x/y', '/proc', '/sys/x', '/proc/self'])(
    'in a file system of the kernel is refused, without trying for ever: %s',
    (path) => {
      expect(problemOf(path)).toEqual(invalid('file system'))
      expect(() => createJournalDirectory(path === '/proc' || path === '/proc/self' ? '/proc/x' : path)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      )
    },
  )

  it('that is a symbolic link to nothing, or lies behind one, is refused', () => {
    const link = join(directory, 'link')
    symlinkSync(join(directory, 'nothing'), link)
    expect(problemOf(link)).toEqual(invalid(`${link} is a symbolic link to a path that does not exist`))
    expect(problemOf(join(link, 'below'))).toEqual(invalid('is a symbolic link to a path that does not exist'))
    expect(() => createJournalDirectory(link)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it('that is a file, or lies behind one, is refused', () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    expect(problemOf(file)).toEqual(invalid(`${file} is not a directory`))
    expect(problemOf(join(file, 'below', 'it'))).toEqual(invalid(`${file} is not a directory`))
  })

  it('that is a link to itself is refused', () => {
    const loop = join(directory, 'loop')
    symlinkSync(loop, loop)
    expect(problemOf(loop)).toEqual(invalid("can't hold a journal"))
  })
})
