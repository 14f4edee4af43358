import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compareWithHistory } from '../../src/registry/compatibility-report.js'
import { findIncompatibilities } from '../../src/registry/compatibility.js'
import { EVENT_KINDS, loadSchemas, parseSchema } from '../../src/registry/schemas.js'
import { BREAKING_CHANGES, changeSchema, PERMITTED_CHANGES } from '../support/schema-changes.js'

const schemas = loadSchemas()
const HISTORY = new URL('../../schemas/history/', import.meta.url)
const published = readdirSync(HISTORY).map((file) => ({ file, text: readFileSync(new URL(file, HISTORY), 'utf8') }))

/** The fingerprints of the canonical forms of all published versions, which consumers hold and which never change. */
const FINGERPRINTS = {
  'dead-letter.v1.avsc': 'd6779f792ed4dd87d5d307405a819f69',
  'delivery-receipt.v1.avsc': '33bf84695c5cd8dea6c5a9c762a0cee6',
  'inbound-message.v1.avsc': 'f8338a57f3afa9d168afb7a1584682eb',
}

describe('The published versions of the record schemas', () => {
  it('are unchanged, and none is missing', () => {
    const found = published.map(({ file, text }): [string, string] => [
      file,
      parseSchema(text).fingerprint().toString('hex'),
    ])
    expect(Object.fromEntries(found)).toEqual(FINGERPRINTS)
  })

  it('can each read, and be read with, the schema of today', () => {
    for (const { file, text } of published) {
      const kind = EVENT_KINDS.find((each) => schemas[each].name === parseSchema(text).name)
      expect(kind, file).toBeDefined()
      expect(findIncompatibilities('FULL', schemas[kind!].text, text), file).toEqual([])
    }
    for (const kind of EVENT_KINDS) {
      const reports = compareWithHistory(schemas[kind])
      expect(reports.map(({ version }) => version)).toEqual(
        schemas[kind].publishedVersions.map((_, index) => index + 1),
      )
      expect(reports.flatMap(({ reasons }) => reasons)).toEqual([])
    }
  })

  it('are loaded with the schema of their record, oldest first', () => {
    expect(schemas.dlr.publishedVersions.map((text) => parseSchema(text).name)).toEqual(['sms.events.DeliveryReceipt'])
    expect(schemas.mo.publishedVersions.map((text) => parseSchema(text).name)).toEqual(['sms.events.InboundMessage'])
  })
})

describe('A change of a published schema', () => {
  const reasonsFor = (text: string): string[] =>
    compareWithHistory({ text, publishedVersions: [schemas.dlr.text] }).flatMap(({ reasons }) => reasons)

  it.each(BREAKING_CHANGES)('is refused, with field and rule, if $what', ({ change, reason }) => {
    expect(reasonsFor(changeSchema(schemas.dlr.text, change)).join('\n')).toMatch(reason)
  })

  it.each(PERMITTED_CHANGES)('is permitted if $what', ({ change }) => {
    expect(reasonsFor(changeSchema(schemas.dlr.text, change))).toEqual([])
  })

  it('is compared with every published version, and not with the latest alone', () => {
    const first = changeSchema(schemas.dlr.text, ({ fields }) => fields.push({ name: 'old', type: 'string' }))
    const reports = compareWithHistory({ text: schemas.dlr.text, publishedVersions: [first, schemas.dlr.text] })
    expect(reports.map(({ version, reasons }) => [version, reasons.length > 0])).toEqual([
      [1, true],
      [2, false],
    ])
    expect(reports[0]!.reasons.join()).toMatch(/field old/)
  })
})
