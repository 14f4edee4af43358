/**
 * Schema ids from earlier answers of the registry, kept in a file beside the journal. With them publishing continues, or
 * starts, while the registry is unreachable. The key of an id names registry, subject and schema, so that it is never
 * used for another one.
 */
import { constants, lstatSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE, readRegularFile } from '../core/files.js'
import type { Subject } from './schemas.js'

export interface RememberedSchemaId {
  readonly id: number
  /** JSON text of the schema with this id, if it is not our own (`registry.register: false`). */
  readonly schema?: string
}

const FILE = 'schema-ids.json'
/** Far more than the schemas of some hundred subjects. */
const MAX_FILE_BYTES = 16 * 1024 * 1024

export class RememberedSchemaIds {
  readonly path: string
  readonly #ids: Map<string, RememberedSchemaId>

  /** Reads the file. One that is missing or can't be read counts as empty. @param directory the journal's */
  constructor(directory: string) {
    this.path = join(directory, FILE)
    this.#ids = new Map(Object.entries(readIds(this.path)))
  }

  /** @param url the address of the registry, without credentials */
  get(url: string, subject: Subject): RememberedSchemaId | undefined {
    return this.#ids.get(keyOf(url, subject))
  }

  /** Resolves once the ids are durable: a new file is written, flushed and renamed over the old one. */
  async set(url: string, entries: readonly (readonly [Subject, RememberedSchemaId])[]): Promise<void> {
    for (const [subject, remembered] of entries) this.#ids.set(keyOf(url, subject), remembered)
    const directory = dirname(this.path)
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE })
    const temporaryPath = `${this.path}.new`
    // What an earlier run or somebody else has left there is removed, and not written to: it may be a link.
    await rm(temporaryPath, { force: true })
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
    const file = await open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_FILE_MODE)
    try {
      await file.writeFile(`${JSON.stringify(Object.fromEntries(this.#ids), null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporaryPath, this.path)
    await syncDirectory(directory)
  }
}

const keyOf = (url: string, { name, schema }: Subject): string => [url, name, schema.fingerprint].join(' ')

const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const readIds = (path: string): Record<string, RememberedSchemaId> => {
  try {
    if (lstatSync(path).isSymbolicLink()) return {}
    const value = JSON.parse(readRegularFile(path, MAX_FILE_BYTES).toString('utf8')) as Record<
      string,
      RememberedSchemaId
    >
    return Object.fromEntries(Object.entries(value).filter(([, { id }]) => Number.isInteger(id)))
  } catch {
    return {}
  }
}
