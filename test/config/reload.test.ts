/** What a reload changes: every key of the schema is applied by a reload, or needs a restart. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type * as z from 'zod'
import { toJsonSchema } from '../../src/config/json-schema.js'
import { collectFiles, type FileDigests, hasChanged, readConfigFile } from '../../src/config/read-file.js'
import {
  diffConfigs,
  needsRestart,
  RELOADED_KEYS,
  RESTART_IF_ADDED_OR_REMOVED,
  RESTART_KEYS,
} from '../../src/config/reload.js'
import { schema } from '../../src/config/schema.js'
import { fixture, load, problemsOf, REQUIRED } from './support.js'

type JsonSchema = z.core.JSONSchema.JSONSchema

/** Every key of the schema, with `*` for the name of a source. */
const keysOf = (node: unknown, path: readonly string[] = []): string[] => {
  if (typeof node !== 'object' || node === null) return []
  const { properties, anyOf, additionalProperties } = node as JsonSchema
  return [
    ...Object.entries(properties ?? {}).flatMap(([key, child]) => [
      [...path, key].join('.'),
      ...keysOf(child, [...path, key]),
    ]),
    ...(anyOf ?? []).flatMap((each) => keysOf(each, path)),
    ...keysOf(additionalProperties, [...path, '*']),
  ]
}

const KEYS = [...new Set(keysOf(toJsonSchema(schema)))]
const LISTED = [...RELOADED_KEYS, ...RESTART_KEYS]
const begins = (key: string, section: string): boolean => key === section || key.startsWith(`${section}.`)

describe('The keys that a reload applies, and those that need a restart', () => {
  it('are together every key of the schema; list a new key in src/config/reload.ts and docs/reload.md', () => {
    expect(KEYS.length).toBeGreaterThan(90)
    // A section above a listed key is divided among both lists.
    const unlisted = KEYS.filter((key) => !LISTED.some((each) => begins(key, each) || begins(each, key)))
    expect(unlisted).toEqual([])
  })

  it('are those that docs/reload.md lists in its two tables', () => {
    const section = readFileSync(new URL('../../docs/reload.md', import.meta.url), 'utf8').split(/^## /m)[2]!
    const [reloaded = '', restarted = ''] = section.split('These keys take effect **at a restart only**')
    const keysIn = (table: string): string[] =>
      [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) => cell.match(/(?<=`)[\w.]+(?=`)/g) ?? [])
    expect(keysIn(reloaded).sort()).toEqual([...RELOADED_KEYS].sort())
    expect(keysIn(restarted).sort()).toEqual([...RESTART_KEYS].sort())
    for (const key of RESTART_IF_ADDED_OR_REMOVED) expect(restarted).toContain(`\`${key}\``)
  })

  it('exist in the schema, and are listed once', () => {
    const all = [...LISTED, ...RESTART_IF_ADDED_OR_REMOVED]
    expect(all.filter((key) => !KEYS.includes(key))).toEqual([])
    expect(new Set(LISTED).size).toBe(LISTED.length)
  })
})

describe('needsRestart', () => {
  const changed = (key: string, kind: 'added' | 'removed' | 'changed' = 'changed'): boolean =>
    needsRestart({ path: key.split('.'), kind })

  it.each([
    'instance',
    'kafka.topics.dlr',
    'journal.maxBytes',
    'admin.port',
    'sharing.group',
    'telemetry.otlp.headers',
  ])('is true for %s', (key) => {
    expect(changed(key)).toBe(true)
  })

  it.each(['kafka.sasl.password', 'kafka.brokers', 'registry.auth', 'callbacks.tls.cert', 'sources.a', 'admin.token'])(
    'is false for %s',
    (key) => {
      expect(changed(key)).toBe(false)
    },
  )

  it('is true for a section that is added or removed with such a key in it, or changes how the server listens', () => {
    expect(changed('sharing', 'added')).toBe(true)
    expect(changed('callbacks', 'added')).toBe(true)
    expect(changed('callbacks.tls', 'added')).toBe(true)
    expect(changed('callbacks.tls', 'removed')).toBe(true)
    expect(changed('callbacks.tls.clientCa', 'removed')).toBe(true)
    expect(changed('callbacks.tls.clientCa', 'changed')).toBe(false)
    expect(changed('kafka.tls', 'added')).toBe(false)
  })

  it('is true for a key that is in neither list', () => {
    expect(changed('callbacks.unheardOf')).toBe(true)
  })
})

describe('diffConfigs', () => {
  const SOURCES = 'sources: {one: {provider: seven, callback: {open: true}}'
  const keysBetween = (before: string, after: string): string[] =>
    diffConfigs(load(before), load(after)).map(({ path, kind }) => `${kind} ${path.join('.')}`)

  it('is empty for the same configuration, written in another way', () => {
    expect(keysBetween(REQUIRED, `${REQUIRED}\nlog: {level: info}\n# a comment`)).toEqual([])
  })

  it('names each key that differs, and sources as a whole where they are added or removed', () => {
    const before = REQUIRED.replace(/sources.*/, `${SOURCES}, gone: {provider: seven, callback: {token: a}}}`)
    const after = REQUIRED.replace(
      /sources.*/,
      `${SOURCES.replace('open: true', 'token: [a, b]')}, new: {provider: seven, callback: {token: a}}}`,
    ).replace("['127.0.0.1:9092']", '[a:1, b:2], tls: true')
    expect(keysBetween(before, after).sort()).toEqual([
      'added kafka.tls',
      'added sources.new',
      'added sources.one.callback.token',
      'changed kafka.brokers',
      'changed sources.one.callback.open',
      'removed sources.gone',
    ])
  })
})

describe('collectFiles', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'reload-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('names the files of substitutions and of certificates, also those that are missing', () => {
    const token = join(folder, 'token')
    const missing = join(folder, 'missing')
    writeFileSync(token, 'abc\n')
    const yaml = REQUIRED.replace("['127.0.0.1:9092']", `[a:1], tls: {ca: "${fixture('certificate.pem')}"}`).replace(
      'open: true',
      `token: ["\${file:${token}}", "\${file:${missing}}"]`,
    )
    const files: FileDigests = new Map()
    expect(collectFiles(files, () => problemsOf(yaml))).toHaveLength(1)
    expect([...files.keys()].sort()).toEqual([fixture('certificate.pem'), missing, token].sort())
    const before = files.size
    problemsOf(yaml.replaceAll('missing', 'other'))
    expect(files.size).toBe(before)
  })

  it('tells when a file has another content, is gone, or is there after all', () => {
    const token = join(folder, 'token')
    const missing = join(folder, 'missing')
    writeFileSync(token, 'abc')
    const yaml = REQUIRED.replace('open: true', `token: ["\${file:${token}}", "\${file:${missing}}"]`)
    const files: FileDigests = new Map()
    collectFiles(files, () => problemsOf(yaml))
    expect(hasChanged(files)).toBe(false)
    writeFileSync(missing, 'def')
    expect(hasChanged(files)).toBe(true)
    rmSync(missing)
    expect(hasChanged(files)).toBe(false)
    writeFileSync(token, 'abd')
    expect(hasChanged(files)).toBe(true)
    writeFileSync(token, 'abc')
    expect(hasChanged(files)).toBe(false)
    rmSync(token)
    expect(hasChanged(files)).toBe(true)
  })

  it('tells that a file was changed between two readings of one loading', () => {
    const token = join(folder, 'token')
    const files: FileDigests = new Map()
    collectFiles(files, () => {
      writeFileSync(token, 'abc')
      readConfigFile(token)
      writeFileSync(token, 'abd')
      readConfigFile(token)
    })
    expect(hasChanged(files)).toBe(true)
  })
})
