import type { Clock } from '../core/clock.js'
import type { Environment } from './environment.js'
import { BYTES_PER_ID, type IdIndex } from './id-index.js'
import type { Journal } from './journal.js'
import type { LmdbWatchList } from './watch-list.js'
import type { Writer } from './writer.js'

export interface RememberDeps {
  readonly env: Environment
  readonly writer: Writer
  readonly ids: IdIndex
  readonly watchList: LmdbWatchList
  readonly clock: Clock
}

/** The arrival of what another replica has published: lower than any number that a journal gives. */
const BEFORE_ALL = { seq: -1, place: 0 }

/** See `Journal.remember`. */
export const rememberInto =
  ({ env, writer, ids, watchList, clock }: RememberDeps): Journal['recordPublished'] =>
  async (published, watch) => {
    const seen = published.filter(({ eventId }) => ids.firstArrival(eventId) === undefined)
    if (seen.length === 0 && watch.length === 0) return
    const write = (): Promise<unknown> =>
      env.root.batch(() => {
        ids.queue(
          seen.map((each) => ({ ...each, ...BEFORE_ALL })),
          clock.now(),
        )
        watchList.queue(watch)
      })
    await writer.write(write, { bytes: seen.length * BYTES_PER_ID })
  }
