/** Reads the files that a configuration consists of, and remembers which they were, so that a change of them can be noticed. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** Where the loading under way collects its files. Loading is synchronous, so there is never more than one. */
let collected: Set<string> | undefined

/** Every file of a configuration is read through this function. @throws Error of node:fs */
export const readConfigFile = (path: string): Buffer => {
  collected?.add(resolve(path))
  return readFileSync(path)
}

/**
 * Runs `load`, and adds the absolute path of each file that it reads, or tries to read, to `files`.
 * @throws what `load` throws; the files are complete also then
 */
export const collectFiles = <T>(files: Set<string>, load: () => T): T => {
  const outer = collected
  collected = files
  try {
    return load()
  } finally {
    collected = outer
  }
}
