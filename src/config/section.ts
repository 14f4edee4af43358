/** Sections of the configuration: which keys they take, and which rules hold between the keys. */
import * as z from 'zod'

/** Attached as `params` to the issue about a key that a section does not take. */
export interface UnknownKey {
  readonly knownKeys: readonly string[]
}

/** A section that takes the keys of `shape` and no others. */
export const section = <S extends z.core.$ZodLooseShape>(shape: S) => {
  const knownKeys = Object.keys(shape)
  const unknownKey: UnknownKey = { knownKeys }
  const refuseUnknownKeys = (given: object, context: z.core.$RefinementCtx): void => {
    if (Array.isArray(given)) return
    for (const key of Object.keys(given)) {
      if (Object.hasOwn(shape, key)) continue
      context.addIssue({ code: 'custom', message: 'unknown key', path: [key], params: { ...unknownKey } })
    }
  }
  // Not z.strictObject: its issue about unknown keys can't carry the known ones.
  const checked = z
    .looseObject(shape, { error: `a section with keys of its own (${knownKeys.join(', ')})` })
    .superRefine(refuseUnknownKeys, { when: isSection })
    .meta({ additionalProperties: false })
  return checked as unknown as z.ZodObject<S, z.core.$strict>
}

/** A section whose defaults apply when it is left out or empty. */
export const withDefaults = <S extends z.ZodType>(schema: S) =>
  z.preprocess((given) => (given === null ? {} : given), schema).prefault({})

/** The keys of a section. Their values may be of any type, because rules are checked even if some keys are wrong. */
export type Keys = Readonly<Record<string, unknown>>

interface Rule<T> {
  /** Path of the key that the problem is reported at, from the section; empty for the section itself. */
  readonly at?: string[]
  readonly holds: (section: T) => boolean
  /** The sentence that follows the key when the rule does not hold. It contains no value, which may be a secret. */
  readonly problem: string
}

/**
 * A rule between the keys of a section. It is checked even when some of the keys are wrong by themselves, so that all
 * problems are reported at once; `holds` therefore returns true for values of the wrong type.
 */
export const rule = <T = Keys>({ at = [], holds, problem }: Rule<T>) =>
  z.refine<T>(holds, { error: problem, path: at, when: isSection })

export const isSection = ({ value }: { readonly value: unknown }): boolean =>
  typeof value === 'object' && value !== null
