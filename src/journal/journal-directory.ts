/**
 * The directory of a journal: whether it can hold one, how it is made, and who may read it.
 *
 * `run` and `check` find the same problems, because both inspect the directory here.
 */
import { accessSync, constants, lstatSync, mkdirSync, readdirSync, statfsSync, statSync, type Stats } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ConnectorError, messageOf } from '../core/errors.js'
import { PRIVATE_DIRECTORY_MODE } from '../core/files.js'

/** File systems of the kernel, by the type that statfs(2) gives. Nothing can be stored in them, whatever their permissions say. */
const KERNEL_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'procfs'],
  [0x62656572, 'sysfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x73636673, 'securityfs'],
  [0xcafe4a11, 'bpf'],
])

/**
 * Finds out whether a directory can hold a journal, and changes nothing.
 * @returns whether the directory exists
 * @throws ConnectorError CONFIG_INVALID
 */
export function inspectJournalDirectory(directory: string): boolean {
  const path = resolve(directory)
  const existing = nearestExisting(path)
  try {
    const problem = findProblem(existing)
    if (problem !== undefined) throw directoryError(path, problem)
    accessSync(existing, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (error instanceof ConnectorError) throw error
    throw directoryError(path, describeAccessError(existing, error as NodeJS.ErrnoException))
  }
  return existing === path
}

/** @throws ConnectorError CONFIG_INVALID */
export function createJournalDirectory(directory: string): void {
  const path = resolve(directory)
  try {
    createDirectory(path)
  } catch (error) {
    throw directoryError(path, messageOf(error))
  }
}

/**
 * Creates a directory and those above it, for this user alone. With `recursive: true` Node.js would try for ever where the file
 * system has a directory but does not let anything be made in it, as in /proc.
 */
export function createDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path && lstatSync(parent, { throwIfNoEntry: false }) === undefined) createDirectory(parent)
  try {
    mkdirSync(path, { mode: PRIVATE_DIRECTORY_MODE })
  } catch (error) {
    // Another process may have made it in this moment.
    const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
    if (!isDirectory) throw error
  }
}

/** Access of the group and of everybody else. */
const GROUP_ACCESS = 0o070
const ACCESS_OF_OTHERS = 0o007
/** On a volume for which Kubernetes sets `fsGroup`: its group is that of the pod, and what is made in it inherits the group. */
const SET_GROUP_ID = 0o2000

/** A sentence if other users of the machine may read the journal; undefined if none may. */
export function describeWideAccess(directory: string): string | undefined {
  const path = resolve(directory)
  const { mode } = statSync(path)
  const isGroupOfPod = (mode & SET_GROUP_ID) !== 0
  const unwanted = isGroupOfPod ? ACCESS_OF_OTHERS : GROUP_ACCESS | ACCESS_OF_OTHERS
  if ((mode & unwanted) === 0) return undefined
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  return (
    `${path} is open to other users (mode ${shown}), and the journal holds phone numbers and texts: stop the connector, and ` +
    `run "chmod -R go-rwx ${path}"`
  )
}

/** What the program makes in the directory of a journal, and in `lmdb` below it. */
const OWN_NAMES = /^(lmdb|data\.mdb|lock\.mdb|reserve\.bin|schema-ids\.json(\.new)?|lock\.\d+|lock-[0-9a-f]{8})$/

/**
 * Refuses links in the place of what the program writes: they would lead it to another file.
 * @throws Error with a sentence
 */
export function assertNoLinks(directory: string): void {
  for (const folder of [directory, join(directory, 'lmdb')]) {
    for (const entry of entriesOf(folder)) {
      if (!entry.isSymbolicLink() || !OWN_NAMES.test(entry.name)) continue
      const link = join(folder, entry.name)
      throw new Error(`${link} is a symbolic link, which the connector does not follow when it writes; remove it`)
    }
  }
}

const entriesOf = (folder: string) => {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** The path itself, or the nearest one above it that exists. A link to nothing exists. */
const nearestExisting = (path: string): string => {
  const parent = dirname(path)
  const stats = lstatOrUndefined(path)
  return stats !== undefined || parent === path ? path : nearestExisting(parent)
}

const lstatOrUndefined = (path: string): Stats | undefined => {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    // A part of the path in front is a file, or can't be searched. Its own look finds that.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR' || code === 'EACCES') return undefined
    throw error
  }
}

/** A sentence on why nothing can be stored there, without a look at the rights. */
const findProblem = (path: string): string | undefined => {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return `${path} is a symbolic link to a path that does not exist`
  if (!stats.isDirectory()) return `${path} is not a directory`
  const fileSystem = KERNEL_FILE_SYSTEMS.get(statfsSync(path).type)
  return fileSystem && `${path} is a part of the kernel's file system ${fileSystem}, which stores nothing`
}

const describeAccessError = (path: string, error: NodeJS.ErrnoException): string => {
  if (error.code === 'EROFS') return `${path} is on a file system that is mounted read-only`
  if (error.code === 'EACCES') return `this user may not read, write and search ${path}`
  return messageOf(error)
}

const directoryError = (path: string, problem: string): ConnectorError =>
  new ConnectorError(
    'CONFIG_INVALID',
    `journal.directory: ${path} can't hold a journal: ${problem}; name a directory that this user owns, on a local disk`,
  )
