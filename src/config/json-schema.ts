/** The configuration as a JSON Schema, for editors and for checking files without the program. */
import * as z from 'zod'

/** A part of a JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>

const ALTERNATIVE = 'x-alternative'

/** Metadata for a zod schema whose value may also be written in another form. Both forms appear under `anyOf`. */
export const alternativeForm = (form: JsonSchema): JsonSchema => ({ [ALTERNATIVE]: form })

const DEFAULT = 'x-default'

/** Metadata for an optional key whose default the program computes from other keys. It documents the usual default. */
export const documentedDefault = (value: string): JsonSchema => ({ [DEFAULT]: value })

/** The JSON Schema (draft 2020-12) of a file as it is written, before substitution and conversion. */
export const toJsonSchema = (schema: z.ZodType): Record<string, unknown> =>
  z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => {
      const { [ALTERNATIVE]: alternative, [DEFAULT]: documented, ...given } = jsonSchema as JsonSchema
      if (alternative === undefined && documented === undefined) return
      const { description, default: defaultValue = documented, ...main } = given
      for (const key of Object.keys(jsonSchema)) delete (jsonSchema as Record<string, unknown>)[key]
      if (description !== undefined) jsonSchema.description = description as string
      if (defaultValue !== undefined) jsonSchema.default = defaultValue
      if (alternative === undefined) Object.assign(jsonSchema, main)
      else jsonSchema.anyOf = [main, alternative as z.core.JSONSchema.BaseSchema]
    },
  })
