/**
 * Notices that the configuration was changed: its file, or a file that it names.
 *
 * The folders of the files are watched, not the files, because editors and Kubernetes replace files instead of writing to
 * them: a ConfigMap or Secret that is mounted changes by one rename of the symbolic link `..data`. What happened there is
 * compared by content, so that a touched file changes nothing. A network file system reports no events, and a link further up
 * may be renamed, so the contents are also compared every few seconds.
 */
import { type FSWatcher, realpathSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { ConfigFile } from '../config/config-file.js'
import type { Clock } from '../core/clock.js'
import type { ReloadTrigger } from './app.js'

export interface ConfigWatcherDeps {
  readonly configFile: Pick<ConfigFile, 'paths' | 'hasChanged'>
  /** Loads the configuration again. The next call waits until it has resolved. */
  readonly reload: (trigger: ReloadTrigger) => Promise<void>
  readonly clock: Clock
}

/** How long after the first event in a folder its files are read: the other files of the same change have arrived by then. */
const SETTLE_MS = 500
const COMPARE_INTERVAL_MS = 10_000

export class ConfigWatcher {
  readonly #deps: ConfigWatcherDeps
  readonly #stopping = new AbortController()
  /** The watched folders. */
  readonly #watchers = new Map<string, FSWatcher>()
  /** Aborted by the first event in a folder since the files were compared. */
  #event = new AbortController()
  /** Aborted by a request since the last one was granted. */
  #request = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(deps: ConfigWatcherDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Loads the configuration again even if no file was changed. */
  request(): void {
    this.#request.abort()
  }

  /** Resolves when no reload is under way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  async #run(): Promise<void> {
    const { configFile, reload, clock } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#watchFolders()
      const ended = AbortSignal.any([this.#request.signal, signal])
      await clock.sleep(COMPARE_INTERVAL_MS, AbortSignal.any([this.#event.signal, ended]))
      if (this.#event.signal.aborted) await clock.sleep(SETTLE_MS, ended)
      if (signal.aborted) return
      const isRequested = this.#request.signal.aborted
      // What happens from here on leads to another comparison.
      this.#event = new AbortController()
      this.#request = new AbortController()
      if (isRequested) await reload('SIGHUP')
      else if (configFile.hasChanged()) await reload('file')
    }
  }

  /** Watches exactly the folders of the files that the last loading has read. */
  #watchFolders(): void {
    const folders = new Set(this.#deps.configFile.paths.flatMap(foldersOf))
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watch(folder)
  }

  #watch(folder: string): void {
    // Where a folder can't be watched, for example because the user has no watches left, its files are compared all the same.
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#event.abort())
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(folder)
      })
      this.#watchers.set(folder, watcher)
    } catch {
      return
    }
  }
}

/** The folder in which the file is named, and the one that a symbolic link leads to. */
const foldersOf = (path: string): string[] => {
  try {
    return [dirname(path), dirname(realpathSync(path))]
  } catch {
    return [dirname(path)]
  }
}
