import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { toJsonSchema } from '../../../src/config/json-schema.js'
import { descriptionSchema } from '../../../src/providers/described/description.js'
import { descriptionOf, problemsOf, RECEIPT } from './support.js'

const withLine = (line: string): string => descriptionOf(`${RECEIPT}\n${line}`)

describe('A description', () => {
  it('has no problems with the keys that every description needs', () => {
    expect(problemsOf(descriptionOf(RECEIPT))).toEqual([])
  })

  it.each([
    [
      'an unknown key',
      withLine('recipent: to'),
      'example.yaml:9:5 items.0.recipent: unknown key; the nearest known one is recipient',
    ],
    ['an unknown kind', descriptionOf('kind: reciept'), 'example.yaml:5:11 items.0.kind: found "reciept"'],
    [
      'a status that SMPP does not have',
      descriptionOf(RECEIPT.replace('DELIVERED', 'DELIVRD')),
      'found "DELIVRD"; one of SCHEDULED',
    ],
    [
      'a word twice',
      descriptionOf(RECEIPT.replace('ok: DELIVERED', 'ok: DELIVERED, OK: DELIVERED')),
      'has a word twice; words are compared without regard to case',
    ],
    [
      'a missing identity',
      descriptionOf(RECEIPT.replace('identity: [messageId, status]', '')),
      'items.0.identity: is missing',
    ],
    [
      'none beside an identity',
      descriptionOf(RECEIPT.replace('[messageId, status]', '[none, status]')),
      'has none beside',
    ],
    [
      'a receipt without a status',
      descriptionOf('kind: receipt\nmessageId: id\nidentity: none'),
      'items.0.status: is missing',
    ],
    ['a key of another kind', withLine('keyword: word'), 'items.0.keyword: has no meaning for an item of this kind'],
    ['a condition that tests nothing', withLine('when: [{ field: x }]'), 'tests nothing, or two things'],
    ['a path that is no list', withLine('rows: results'), 'items.0.rows: found "results"; a path to a list'],
    ['a time without a zone', withLine('occurredAt: { field: t, format: YYMMDDhhmm }'), 'zone: is missing'],
    ['a zone that does not exist', withLine('occurredAt: { field: t, zone: Europe/Nowhere }'), 'is no time zone'],
    ['an item that is dropped unconditionally', descriptionOf('kind: ignored'), 'items.0.when: is missing'],
    [
      'no items',
      'provider: example\ntitle: Example\ndocuments: [https://a.example]\nitems: []',
      'a list of at least one item',
    ],
    ['nothing', '', 'provider: is missing'],
  ])('with %s is refused with the place and the reason', (_, text, problem) => {
    expect(problemsOf(text).join('\n')).toContain(problem)
  })

  it('is refused with all of its problems at once', () => {
    const text = descriptionOf(`${RECEIPT}\nrecipent: to\noccurredAt: { field: t, format: x }`, 'kind: message')
    expect(problemsOf(text).length).toBeGreaterThanOrEqual(4)
  })
})

const CONFIG = join(import.meta.dirname, '../../../config')
const published = JSON.parse(readFileSync(join(CONFIG, 'provider.schema.json'), 'utf8')) as z.core.JSONSchema.JSONSchema

describe('config/provider.schema.json', () => {
  it('is what the program generates; if this fails, run: npm run schema', () => {
    expect(published).toEqual(toJsonSchema(descriptionSchema))
  })

  const asPublished = z.fromJSONSchema(published)
  const accepts = (text: string): boolean => asPublished.safeParse(parse(text, { merge: true })).success

  it.each(readdirSync(join(CONFIG, 'providers')))('accepts %s, read as editors do', (file) => {
    expect(accepts(readFileSync(join(CONFIG, 'providers', file), 'utf8'))).toBe(true)
  })

  it('refuses a wrong key, a wrong status and a missing kind', () => {
    expect(accepts(descriptionOf(RECEIPT))).toBe(true)
    expect(accepts(withLine('recipent: to'))).toBe(false)
    expect(accepts(descriptionOf(RECEIPT.replace('DELIVERED', 'DELIVRD')))).toBe(false)
    expect(accepts(descriptionOf(RECEIPT.replace('kind: receipt', 'rows: "[]"')))).toBe(false)
  })
})
