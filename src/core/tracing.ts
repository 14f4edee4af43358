/**
 * The interface through which the parts report the spans of distributed traces. A trace follows one entry from the request
 * that brought it to the commit of its records. No part needs tracing: where it is left out, nothing is recorded and
 * nothing is added to entries and records. `telemetry/` implements it.
 *
 * `traceparent` is the text of W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header): 55 characters
 * that hold the ids of a trace and of a span in it, and whether the trace is recorded.
 */
import type { ItemOutcome } from './observers.js'

/** A callback that its source has accepted. */
export interface AcceptedCallback {
  readonly source: string
  readonly provider: string
  /** The method of the request. */
  readonly method: string
  /** The header `traceparent` as the caller sent it; undefined if there is none. */
  readonly traceparent: string | undefined
  /** Whether the caller has proved anything. What an unknown caller sends has no influence on what is recorded. */
  readonly isAuthenticated: boolean
  /** When the headers had arrived, in milliseconds of the monotonic clock. */
  readonly startedAt: number
}

/** A request that is about to be sent to a provider. */
export interface ProviderRequest {
  readonly source: string
  readonly provider: string
  readonly method: string
  readonly url: string
}

/** How a request ended. */
export interface RequestResult {
  /** The status code of the answer; null if there was no readable one, absent where it is not known. */
  readonly status?: number | null
  /** The outcome of the request: a value of the label `outcome` of the metrics. Absent for callbacks. */
  readonly outcome?: string
  /** What went wrong, as an error code or an outcome; absent if nothing did. It holds no personal data. */
  readonly error?: string
}

/** The span of a request that brings an entry. */
export interface RequestSpan {
  /** What the journal keeps with the entry, so that its trace goes on after a restart. */
  readonly traceparent: string
  /** Called once, when the entry is in custody or refused. */
  end(result: RequestResult): void
}

/** What the trace of an entry needs to know of it. */
export interface TracedEntry {
  readonly source: string
  readonly provider: string
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  /** As `RequestSpan.traceparent` was when the entry was received; undefined for an entry that is not traced. */
  readonly traceparent?: string
}

/** The span of an entry, from decoding to the commit of its last record. */
export interface EntrySpan {
  /** What the records of the entry carry in their header `traceparent`. */
  readonly traceparent: string
  /** False if only the `traceparent` is passed on. */
  readonly isRecorded: boolean
  /** Called before items of the entry are decoded for a batch. */
  startDecoding(): void
  /** Called when these items are decoded and encoded. */
  endDecoding(outcomes: readonly ItemOutcome[]): void
}

/** The spans of the entries in one Kafka transaction. */
export interface TracedBatch {
  readonly records: readonly { readonly topic: string }[]
  readonly entrySpans: readonly EntrySpan[]
  /** The last of them if its entry continues in the next transaction. */
  readonly unfinishedSpan: EntrySpan | undefined
}

/** The fields of a log line about a traced entry, by the names that pino's and OpenTelemetry's own instrumentation uses. */
export const traceFacts = (traceparent: string | undefined): { trace_id?: string; span_id?: string } => {
  const [, traceId, spanId] = traceparent?.split('-') ?? []
  return traceId === undefined || spanId === undefined ? {} : { trace_id: traceId, span_id: spanId }
}

/** The span of a Kafka transaction. */
export interface TransactionSpan {
  /**
   * Called when the broker has acknowledged the transaction, or with the error because of which its outcome is unknown.
   * Ends the spans of its entries as well, except after a success the one that is unfinished.
   */
  end(error?: unknown): void
}

export interface Tracing {
  /** @returns undefined if the entry of the callback is not traced */
  startCallback(callback: AcceptedCallback): RequestSpan | undefined
  /** @returns undefined if the entry that the request may bring is not traced */
  startProviderRequest(request: ProviderRequest): RequestSpan | undefined
  /** @returns undefined if the entry is not traced */
  startEntry(entry: TracedEntry): EntrySpan | undefined
  /** @returns undefined if no entry of the batch is recorded */
  startTransaction(batch: TracedBatch): TransactionSpan | undefined
}
