import { spawn, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogOutput } from '../../src/admin/log-output.js'
import { ManualClock } from '../support/manual-clock.js'
import { UnreadPipe } from '../support/unread-pipe.js'

const KIB = 1024

/** A reader that takes as many bytes as a test allows it. */
class Reader {
  taken = ''
  room = 0
  errorCode = 'EAGAIN'

  readonly writeNow = (bytes: Uint8Array): number => {
    const count = Math.min(this.room, bytes.byteLength)
    if (count === 0) throw Object.assign(new Error('not written'), { code: this.errorCode })
    this.room -= count
    this.taken += Buffer.from(bytes.subarray(0, count)).toString('latin1')
    return count
  }

  get lines(): string[] {
    return this.taken.split('\n').slice(0, -1)
  }
}

const create = (reader: Reader, clock = new ManualClock(), block = (_ms: number): void => undefined) => {
  const output = new LogOutput({ writeNow: reader.writeNow, block, clock })
  output.onResumed = (missing) => output.write(`missing ${missing}\n`)
  return { output, clock }
}

const lineOf = (number: number, bytes: number): string => `${String(number).padEnd(bytes - 1, '.')}\n`
const numberOf = (line: string): number => Number.parseInt(line, 10)

describe('LogOutput', () => {
  it('has written a line when write returns', () => {
    const reader = new Reader()
    reader.room = 100
    create(reader).output.write('line\n')
    expect(reader.taken).toBe('line\n')
  })

  it('drops lines that exceed its memory, counts them, and says how many are missing where they are missing', async () => {
    const reader = new Reader()
    const { output, clock } = create(reader)
    for (let number = 0; number < 5_000; number++) output.write(lineOf(number, KIB))
    expect(output.droppedLines).toBe(5_000 - 4 * KIB)
    reader.room = Infinity
    await clock.advance(1_000)
    output.write('after\n')
    expect(reader.lines.slice(0, 4 * KIB).map(numberOf)).toEqual(Array.from({ length: 4 * KIB }, (_, number) => number))
    expect(reader.lines.slice(4 * KIB)).toEqual([`missing ${5_000 - 4 * KIB}`, 'after'])
  })

  it('writes a single line that is larger than its memory', async () => {
    const reader = new Reader()
    const { output, clock } = create(reader)
    output.write(lineOf(1, 5 * KIB * KIB))
    reader.room = Infinity
    await clock.advance(1_000)
    expect(reader.lines.map(numberOf)).toEqual([1])
    expect(output.droppedLines).toBe(0)
  })

  it.each(['EAGAIN', 'EPIPE', 'ENOSPC', 'EIO'])('writes what it kept once the error %s is over', async (code) => {
    const reader = new Reader()
    reader.errorCode = code
    const { output, clock } = create(reader)
    output.write('kept\n')
    await clock.advance(3_600_000)
    expect(reader.taken).toBe('')
    reader.room = Infinity
    await clock.advance(1_000)
    expect(reader.taken).toBe('kept\n')
  })

  it('keeps the order of lines, tears none, and accounts for every one, whatever the reader takes and when', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), lines: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ kind: fc.constant('take' as const), bytes: fc.integer({ min: 1, max: 8 * KIB * KIB }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const reader = new Reader()
        const { output, clock } = create(reader)
        let next = 0
        for (const each of steps) {
          if (each.kind === 'take') reader.room = each.bytes
          else for (let line = 0; line < each.lines; line++) output.write(lineOf(next++, 32 * KIB))
          await clock.advance(300)
        }
        reader.room = Infinity
        await clock.advance(1_000)
        let expected = 0
        for (const line of reader.lines) {
          const missing = /^missing (\d+)$/.exec(line)?.[1]
          if (missing === undefined) expect(line).toBe(lineOf(expected, 32 * KIB).trimEnd())
          expected += missing === undefined ? 1 : Number(missing)
        }
        expect(expected).toBe(next)
      }),
      { numRuns: 50 },
    )
  })

  it('waits at the exit for a slow reader, and says how many lines are missing', () => {
    const reader = new Reader()
    const clock = new ManualClock()
    const { output } = create(reader, clock, (ms) => {
      reader.room += KIB * KIB
      void clock.advance(ms)
    })
    for (let number = 0; number < 5_000; number++) output.write(lineOf(number, KIB))
    output.flush()
    expect(reader.lines.at(-2)).toMatch(/^4095\b/)
    expect(reader.lines.at(-1)).toBe('missing 904')
  })

  it.each([
    ['EAGAIN', 600],
    ['EPIPE', 0],
  ])('waits at the exit for a reader that takes nothing (%s) no longer than %d ms', (code, longestMs) => {
    const reader = new Reader()
    reader.errorCode = code
    const clock = new ManualClock()
    const { output } = create(reader, clock, (ms) => void clock.advance(ms))
    output.write('kept\n')
    output.flush()
    expect(clock.monotonic()).toBeLessThanOrEqual(longestMs)
  })
})

describe('openLogOutput', () => {
  const LINES = 30_000
  let folder: string
  let children: ReturnType<typeof spawn>[]

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dlrmo-log-'))
    children = []
  })
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  const script = fileURLToPath(new URL('../support/log-writer.ts', import.meta.url))
  const start = (stdio: StdioOptions) => {
    const child = spawn(process.execPath, ['--import', 'tsx', script, String(LINES)], { stdio })
    children.push(child)
    return child
  }
  /** Checks the lines against what the script writes: numbered lines, and how many are missing after a gap. */
  const expectAccountedFor = (text: string): number => {
    let expected = 0
    let missing = 0
    for (const line of text.split('\n').slice(0, -1)) {
      const entry = JSON.parse(line) as { number?: number; missing?: number }
      if (entry.number !== undefined) expect(entry.number).toBe(expected)
      expected += entry.missing ?? 1
      missing += entry.missing ?? 0
    }
    expect(expected).toBe(LINES)
    return missing
  }

  it('writes every line to a file before the process exits', async () => {
    const path = join(folder, 'log')
    const file = openSync(path, 'a')
    const child = start(['pipe', file, 'inherit', 'pipe'])
    closeSync(file)
    child.stdin!.end()
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(expectAccountedFor(readFileSync(path, 'utf8'))).toBe(0)
  })

  it('does not block on a pipe that nobody reads, and says after it is read again how many lines are missing', async () => {
    const pipe = UnreadPipe.create(folder)
    try {
      const child = start(['pipe', pipe.writeEnd, 'inherit', 'pipe'])
      await once(child.stdio[3]!, 'data')
      expect(expectAccountedFor(await pipe.readUntil((text) => text.includes('missing')))).toBeGreaterThan(0)
      child.stdin!.end()
      expect(await once(child, 'exit')).toEqual([0, null])
    } finally {
      pipe.close()
    }
  })

  it('does not block on a socket that nobody reads, and says after it is read again how many lines are missing', async () => {
    const child = start(['pipe', 'pipe', 'inherit', 'pipe'])
    await once(child.stdio[3]!, 'data')
    let text = ''
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    child.stdin!.end()
    expect(await once(child, 'close')).toEqual([0, null])
    expect(expectAccountedFor(text)).toBeGreaterThan(0)
  })
})
