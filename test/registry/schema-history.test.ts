import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findIncompatibilities } from '../../src/registry/compatibility.js'
import { EVENT_KINDS, loadSchemas, parseSchema } from '../../src/registry/schemas.js'

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
  })

  it('are loaded with the schema of their record, oldest first', () => {
    expect(schemas.dlr.publishedVersions.map((text) => parseSchema(text).name)).toEqual(['sms.events.DeliveryReceipt'])
    expect(schemas.mo.publishedVersions.map((text) => parseSchema(text).name)).toEqual(['sms.events.InboundMessage'])
  })
})
