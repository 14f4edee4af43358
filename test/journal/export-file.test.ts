import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ExportLine, ExportLineError, readExportLines } from '../../src/journal/export-file.js'
import { EXPORT_FORMAT, EXPORT_VERSION, formatExportedEntry } from '../../src/journal/export-format.js'
import type { Entry } from '../../src/journal/journal.js'

const HEADER = { format: EXPORT_FORMAT, version: EXPORT_VERSION, journal: 'left', instance: 'a', position: null }

const entryOf = (seq: number, body: Uint8Array): Entry => ({
  seq,
  source: 'seven-main',
  provider: 'seven',
  via: 'CALLBACK',
  receivedAt: 1,
  facts: { method: 'POST', path: '/', query: '' },
  body,
})

const fileOf = (bodies: readonly Uint8Array[]): Buffer => {
  const entries = bodies.map((body, index) => formatExportedEntry(entryOf(index * 2, body), 'left'))
  const end = JSON.stringify({ end: true, entries: bodies.length, unreadable: 0 })
  return Buffer.from([JSON.stringify(HEADER), ...entries, end].map((line) => `${line}\n`).join(''))
}

/** Reads a file that arrives in chunks of this size. */
async function read(file: Buffer, chunkBytes = 64): Promise<{ lines: ExportLine[]; error?: ExportLineError }> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let start = 0; start < file.length; start += chunkBytes) yield file.subarray(start, start + chunkBytes)
  }
  const lines: ExportLine[] = []
  try {
    for await (const line of readExportLines(chunks())) lines.push(line)
    return { lines }
  } catch (error) {
    if (!(error instanceof ExportLineError)) throw error
    return { lines, error }
  }
}

const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })

describe('The reader of export files', () => {
  it('returns the entries that were exported, with their origin, in chunks of any size', async () => {
    await fc.assert(
      fc.asyncProperty(bodies, fc.integer({ min: 1, max: 300 }), async (exported, chunkBytes) => {
        const { lines, error } = await read(fileOf(exported), chunkBytes)
        expect(error).toBeUndefined()
        const entries = lines.flatMap((line) => (line.kind === 'entry' ? [line] : []))
        expect(entries.map(({ entry }) => Buffer.from(entry.body))).toEqual(exported.map((body) => Buffer.from(body)))
        expect(entries.map(({ entry }) => entry.origin)).toEqual(
          exported.map((_, index) => ({ kind: 'import', journalId: 'left', seq: index * 2 })),
        )
        expect(lines.at(-1)?.kind).toBe('end')
      }),
      { numRuns: 50 },
    )
  })

  it('never takes a file that is cut at any byte for a whole one, and returns only whole entries of it', async () => {
    const file = fileOf([Buffer.from('one'), Buffer.from('two')])
    // Without the last line break the end line is still whole.
    for (let length = 1; length < file.length - 1; length++) {
      const { lines, error } = await read(file.subarray(0, length))
      expect({ length, isCut: error?.isCut }).toEqual({ length, isCut: true })
      for (const line of lines) {
        if (line.kind === 'entry') expect(['one', 'two']).toContain(Buffer.from(line.entry.body).toString())
      }
    }
  })

  it.each([
    ['nothing', '', 'line 1: the file is empty'],
    ['another file', '{"a":1}\n', 'line 1: format: expected'],
    [
      'a line that is not JSON',
      `${JSON.stringify(HEADER)}\nabc\n{"end":true,"entries":0}\n`,
      'line 2: it is not a JSON',
    ],
    ['an entry without fields', `${JSON.stringify(HEADER)}\n{"seq":1}\n`, 'line 2: source: expected'],
    [
      'another number of entries',
      `${JSON.stringify(HEADER)}\n{"end":true,"entries":1}\n`,
      'line 2: entries: the file has 0',
    ],
    [
      'a second end',
      `${JSON.stringify(HEADER)}\n${'{"end":true,"entries":0}\n'.repeat(2)}`,
      'line 3: the file goes on',
    ],
    ['another version', `${JSON.stringify({ ...HEADER, version: 9 })}\n`, 'line 1: version: this release reads 1'],
  ])('names the line and what is wrong in a file with %s', async (_, text, message) => {
    expect((await read(Buffer.from(text))).error?.message).toContain(message)
  })
})
