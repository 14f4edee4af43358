/** Fields of one request that came in two places: its query, and its body or a row of it. */
import { find, type Field } from './fields.js'

export interface Combined {
  /** Those of the body, and of the query what the body does not name. */
  readonly fields: readonly Field[]
  /** Those of the query that the body names as well: for `raw` only. */
  readonly also: readonly Field[]
  /** A name that both have, with different values. */
  readonly conflict: string | undefined
}

/** @param decisive names that decide what an item means; any other may differ */
export const combine = (
  own: readonly Field[],
  query: readonly Field[],
  decisive: (name: string) => boolean,
): Combined => {
  if (query.length === 0) return { fields: own, also: [], conflict: undefined }
  if (own.length === 0) return { fields: query, also: [], conflict: undefined }
  const names = new Set(own.map(({ name }) => name))
  const also = query.filter(({ name }) => names.has(name))
  return {
    fields: [...own, ...query.filter(({ name }) => !names.has(name))],
    also,
    conflict: also.find(({ name, value }) => decisive(name) && find(own, name)?.value !== value)?.name,
  }
}
