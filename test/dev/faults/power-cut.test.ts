import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../../../dev/simulators/random.js'
import { cutPower } from '../../../dev/faults/power-cut.js'

describe('cutPower', () => {
  let folder: string
  let file: string
  let writeLog: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dlrmo-power-'))
    file = join(folder, 'data.mdb')
    writeLog = join(folder, 'writes.log')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const logEntry = (kind: string, at = 0, bytes: Buffer = Buffer.alloc(0)): Buffer => {
    const head = Buffer.alloc(24)
    head.write(kind, 0, 'latin1')
    head.writeBigUInt64LE(BigInt(at), 8)
    head.writeBigUInt64LE(BigInt(bytes.length), 16)
    return Buffer.concat([head, bytes])
  }
  const fill = (value: number): Buffer => Buffer.alloc(1_024, value)

  it('keeps everything that was synced, and of the rest only whole sectors', () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      writeFileSync(
        writeLog,
        Buffer.concat([
          logEntry('w', 0, fill(1)),
          logEntry('s'),
          logEntry('w', 1_024, fill(2)),
          logEntry('w', 2_048, fill(3)),
          logEntry('d'),
          logEntry('w', 0, fill(4)),
        ]),
      )
      const contentInKernel = Buffer.alloc(3_072, 9)
      writeFileSync(file, contentInKernel)
      expect(cutPower(file, Buffer.alloc(2_048), writeLog, new Random(seed))).toBe(2)
      const content = readFileSync(file)
      const sectors = Array.from({ length: 6 }, (_, index) => content[index * 512]!)
      expect([1, 4]).toContain(sectors[0])
      expect([0, 2]).toContain(sectors[2])
      expect(sectors.slice(4)).toEqual([3, 3])
      for (const [index, value] of sectors.entries()) {
        expect(content.subarray(index * 512, index * 512 + 512).every((byte) => byte === value)).toBe(true)
      }
      outcomes.add(sectors.join(''))
    }
    expect(outcomes.size).toBeGreaterThan(3)
  })
})
