/** The configuration file of a process that runs on, and the files that it names. */
import type { Environment } from './substitute.js'
import { loadConfig, type LoadOptions } from './load.js'
import { collectFiles, type FileDigests, hasChanged } from './read-file.js'
import type { Config } from './types.js'

export class ConfigFile {
  readonly #path: string
  readonly #env: Environment
  readonly #options: LoadOptions | undefined
  /** What the last loading has read. */
  #files: FileDigests = new Map()

  /** @param path as given on the command line; each line of an error begins with it */
  constructor(path: string, env: Environment, options?: LoadOptions) {
    this.#path = path
    this.#env = env
    this.#options = options
  }

  /** The absolute paths of all files that the last loading has read, or has tried to read. */
  get paths(): readonly string[] {
    return [...this.#files.keys()]
  }

  /** @throws ConnectorError CONFIG_INVALID, as `loadConfig` */
  load(): Config {
    this.#files = new Map()
    return collectFiles(this.#files, () => loadConfig(this.#path, this.#env, this.#options))
  }

  /** Whether a file has another content than when it was loaded the last time. */
  hasChanged(): boolean {
    return hasChanged(this.#files)
  }
}
