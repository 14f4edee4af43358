/** The configuration as a JSON Schema, for editors and for checking files without the program. */
import * as z from 'zod'
import type { Shape } from './field.js'

const OR = 'x-or'

/** Marks a schema, by its meta data, as one of two ways to write the value. */
export const orInSchema = (other: Shape): Shape => ({ [OR]: other })

/** Of what is written in the file, before substitution and conversion. Draft 2020-12. */
export const toJsonSchema = (schema: z.ZodType): Record<string, unknown> =>
  z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => {
      const { [OR]: other, description, default: standard, ...written } = jsonSchema as Record<string, unknown>
      if (other === undefined) return
      for (const key of Object.keys(jsonSchema)) delete (jsonSchema as Record<string, unknown>)[key]
      if (description !== undefined) jsonSchema.description = description as string
      if (standard !== undefined) jsonSchema.default = standard
      jsonSchema.anyOf = [written, other as z.core.JSONSchema.BaseSchema]
    },
  })
