/** Reads the files that a configuration consists of, and remembers what was read, so that a change of them can be noticed. */
import { hash } from 'node:crypto'
import { resolve } from 'node:path'
import { readRegularFile } from '../core/files.js'

/** Far more than a configuration, a password or a chain of certificates has. */
const MAX_CONFIG_FILE_BYTES = 1024 * 1024

/** The digest of what was read of each file, by its absolute path; null for a file that could not be read. */
export type FileDigests = Map<string, string | null>

/** Where the loading under way collects its files. Loading is synchronous, so there is never more than one. */
let collected: FileDigests | undefined

/** Every file of a configuration is read through this function. @throws FileRefusedError, Error of node:fs */
export const readConfigFile = (path: string): Buffer => {
  const absolutePath = resolve(path)
  let digest: string | null = null
  try {
    const content = readRegularFile(path, MAX_CONFIG_FILE_BYTES)
    digest = digestOf(content)
    return content
  } finally {
    // A file that is read twice, and was changed in between, differs from what was read in any case.
    const isChanged = collected?.has(absolutePath) && collected.get(absolutePath) !== digest
    collected?.set(absolutePath, isChanged ? CHANGED_WHILE_READ : digest)
  }
}

/**
 * Runs `load`, and adds each file that it reads, or tries to read, to `files`.
 * @throws what `load` throws; the files are complete also then
 */
export const collectFiles = <T>(files: FileDigests, load: () => T): T => {
  const outer = collected
  collected = files
  try {
    return load()
  } finally {
    collected = outer
  }
}

/** Whether a file differs from what was read of it. */
export const hasChanged = (files: FileDigests): boolean => {
  const present: FileDigests = new Map()
  for (const path of files.keys()) {
    try {
      collectFiles(present, () => readConfigFile(path))
    } catch {
      // Its digest is null.
    }
  }
  return [...files].some(([path, digest]) => present.get(path) !== digest)
}

const CHANGED_WHILE_READ = 'changed while it was read'

const digestOf = (content: Buffer): string => hash('sha256', content)
