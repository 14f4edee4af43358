/**
 * Keeps spans or log records until they are exported. Adding one never waits: when the endpoint is slower than what is
 * recorded, the queue fills up and further items are dropped and counted. An export that fails is not repeated by the queue,
 * because the client has repeated it for as long as the timeout allows.
 */
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { TelemetryObserver, TelemetrySignal } from '../core/observers.js'
import type { Export } from './otlp-exporter.js'

export interface ExportQueueOptions {
  readonly signal: TelemetrySignal
  /** The most items that wait. */
  readonly maxItems: number
  /** The most items in one export. */
  readonly maxBatch: number
  /** How long items wait for others that are exported with them. */
  readonly delayMs: number
}

export interface ExportQueueDeps<T> {
  readonly export: Export<T[]>
  readonly clock: Clock
  readonly observer: TelemetryObserver
}

export class ExportQueue<T> {
  readonly #options: ExportQueueOptions
  readonly #deps: ExportQueueDeps<T>
  readonly #closing = new AbortController()
  readonly #items: T[] = []
  #exporting: Promise<void> | undefined

  constructor(options: ExportQueueOptions, deps: ExportQueueDeps<T>) {
    this.#options = options
    this.#deps = deps
  }

  add(item: T): void {
    const { signal, maxItems } = this.#options
    if (this.#items.length >= maxItems) return this.#deps.observer.dropped(signal, 'queue-full', 1)
    this.#items.push(item)
    this.#exporting ??= this.#exportAll()
  }

  /** Exports what waits, for as long as `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing.abort()
    if (this.#exporting) await orTimeout(this.#exporting, timeoutMs, this.#deps.clock)
  }

  async #exportAll(): Promise<void> {
    const { delayMs, maxBatch } = this.#options
    await this.#deps.clock.sleep(delayMs, this.#closing.signal)
    while (this.#items.length > 0) {
      await this.#exportBatch(this.#items.splice(0, maxBatch))
      const isWorthExporting = this.#items.length >= maxBatch
      if (!isWorthExporting) await this.#deps.clock.sleep(delayMs, this.#closing.signal)
    }
    this.#exporting = undefined
  }

  #exportBatch(batch: T[]): Promise<void> {
    return exportAndReport(this.#options.signal, batch, batch.length, this.#deps)
  }
}

/** Exports the items once and reports what became of them. Never rejects. */
export async function exportAndReport<T>(
  signal: TelemetrySignal,
  items: T,
  count: number,
  deps: { readonly export: Export<T>; readonly observer: TelemetryObserver },
): Promise<void> {
  const { observer } = deps
  try {
    const rejection = await deps.export(items)
    if (rejection === undefined) return observer.exported(signal)
    observer.dropped(signal, 'rejected', rejection.items)
    observer.exportFailed(signal, new Error(`the endpoint has rejected a part of an export: ${rejection.message}`))
  } catch (error) {
    observer.dropped(signal, 'export-failed', count)
    observer.exportFailed(signal, error)
  }
}
