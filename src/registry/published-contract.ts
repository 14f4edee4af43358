/**
 * Compares a schema with a published version of it by the policy of docs/schema-evolution.md, which is stricter than Avro.
 *
 * Avro permits what consumers notice nevertheless: a field that is gone or renamed reads as its default, an enum symbol that
 * is gone as the default of the enum, and a default that changed gives old records another value. Avro compares names without
 * their namespace, and not every library does.
 */
import { isDeepStrictEqual } from 'node:util'
import avro from 'avsc'
import { messageOf } from '../core/errors.js'
import { isUnion, parseSchema } from './schemas.js'

/**
 * Lists what the policy forbids. Each reason names the field and, in capitals, the rule.
 * @param current JSON text of the schema that is to be published
 * @param published JSON text of an earlier version
 */
export function findContractBreaks(current: string, published: string): string[] {
  try {
    return compareTypes(parseSchema(current), parseSchema(published), '')
  } catch (error) {
    return [`one of the two schemas is not an Avro schema: ${messageOf(error)}`]
  }
}

/**
 * Returns why avsc can't read records of one version with the other, in either direction. Consumers in JavaScript use it.
 * @returns undefined if it can
 */
export function findResolutionError(one: string, other: string): string | undefined {
  try {
    const [first, second] = [parseSchema(one), parseSchema(other)]
    first.createResolver(second)
    second.createResolver(first)
    return undefined
  } catch (error) {
    return `avsc can't read records of one version with the other: ${messageOf(error)}`
  }
}

function compareTypes(current: avro.Type, published: avro.Type, path: string): string[] {
  if (isUnion(current) || isUnion(published)) {
    // What is no pair here is an incompatibility by the rules of Avro.
    return branchesOf(published).flatMap((branch) => {
      const counterpart = branchesOf(current).find(({ typeName }) => typeName === branch.typeName)
      return counterpart === undefined ? [] : compareTypes(counterpart, branch, path)
    })
  }
  if (current instanceof avro.types.RecordType && published instanceof avro.types.RecordType) {
    return [...compareNames(current, published, path), ...compareFields(current, published, path)]
  }
  if (current instanceof avro.types.EnumType && published instanceof avro.types.EnumType) {
    return [...compareNames(current, published, path), ...compareSymbols(current, published, path)]
  }
  if (current instanceof avro.types.MapType && published instanceof avro.types.MapType) {
    return compareTypes(current.valuesType as avro.Type, published.valuesType as avro.Type, `${path}[…]`)
  }
  return []
}

const compareNames = ({ name }: avro.Type, { name: before }: avro.Type, path: string): string[] =>
  name === before ? [] : [`${at(path)}the type is named ${name}, and was named ${before} (NAME_CHANGED)`]

function compareFields(current: avro.types.RecordType, published: avro.types.RecordType, path: string): string[] {
  return published.fields.flatMap((before) => {
    const fieldPath = path === '' ? before.name : `${path}.${before.name}`
    const field = current.fields.find(({ name }) => name === before.name)
    if (field === undefined) return [`${at(fieldPath)}it is removed or renamed (FIELD_REMOVED)`]
    const isKept = before.defaultValue() === undefined || isDeepStrictEqual(field.defaultValue(), before.defaultValue())
    const [now, earlier] = [toJson(field.defaultValue()), toJson(before.defaultValue())]
    const change = isKept ? [] : [`${at(fieldPath)}its default is ${now}, and was ${earlier} (DEFAULT_CHANGED)`]
    return [...change, ...compareTypes(field.type, before.type, fieldPath)]
  })
}

function compareSymbols(current: avro.types.EnumType, published: avro.types.EnumType, path: string): string[] {
  const reasons: string[] = []
  const removed = published.symbols.filter((symbol) => !current.symbols.includes(symbol))
  if (removed.length > 0) reasons.push(`${at(path)}${removed.join(', ')} is removed or renamed (SYMBOL_REMOVED)`)
  const [now, earlier] = [defaultOf(current), defaultOf(published)]
  if (earlier !== undefined && now !== earlier) {
    reasons.push(`${at(path)}the default of the enum is ${now ?? 'missing'}, and was ${earlier} (DEFAULT_CHANGED)`)
  }
  return reasons
}

const defaultOf = (type: avro.types.EnumType): string | undefined => (type as { default?: string }).default

const toJson = (value: unknown): string => (value === undefined ? 'missing' : JSON.stringify(value))

const at = (path: string): string => (path === '' ? '' : `field ${path}: `)

const branchesOf = (type: avro.Type): readonly avro.Type[] => (isUnion(type) ? type.types : [type])
