/**
 * Schema ids that a registry once gave, in a file beside the journal: with them publishing can go on, and even begin,
 * while the registry is away. Keyed by registry, subject and schema, so that an id is never taken for another's.
 */
import { readFileSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface RememberedSchemaId {
  readonly id: number
  /** JSON text of the schema that the id stands for, where it is not our own; see `registry.register: false`. */
  readonly schema?: string
}

export interface IdKey {
  /** The registry's, without credentials. */
  readonly url: string
  readonly subject: string
  /** Of our own schema. */
  readonly fingerprint: string
}

const FILE = 'schema-ids.json'
const textOf = ({ url, subject, fingerprint }: IdKey): string => [url, subject, fingerprint].join(' ')

export class RememberedSchemaIds {
  readonly path: string
  readonly #ids: Map<string, RememberedSchemaId>

  /** @param directory the journal's. A file that is missing or can't be read counts as empty. */
  constructor(directory: string) {
    this.path = join(directory, FILE)
    this.#ids = new Map(Object.entries(read(this.path)))
  }

  get(key: IdKey): RememberedSchemaId | undefined {
    return this.#ids.get(textOf(key))
  }

  /** Durable when it resolves: the file is written beside, flushed, and put in place in one step. */
  async set(entries: readonly (readonly [IdKey, RememberedSchemaId])[]): Promise<void> {
    for (const [key, remembered] of entries) this.#ids.set(textOf(key), remembered)
    await mkdir(dirname(this.path), { recursive: true })
    const beside = `${this.path}.new`
    const file = await open(beside, 'w', 0o644)
    try {
      await file.writeFile(`${JSON.stringify(Object.fromEntries(this.#ids), null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, this.path)
    await flush(dirname(this.path))
  }
}

const flush = async (directory: string): Promise<void> => {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const read = (path: string): Record<string, RememberedSchemaId> => {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return Object.fromEntries(
      Object.entries(value as Record<string, RememberedSchemaId>).filter(([, { id }]) => Number.isInteger(id)),
    )
  } catch {
    return {}
  }
}
