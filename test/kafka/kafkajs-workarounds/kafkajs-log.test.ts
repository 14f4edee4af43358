import { logLevel } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../../src/admin/log.js'
import { kafkajsLogCreator } from '../../../src/kafka/kafkajs-workarounds/kafkajs-log.js'

describe('The log of kafkajs', () => {
  it('names the length of a response instead of its bytes, at level trace', () => {
    const lines: string[] = []
    const options = { level: 'trace', instance: 'connector-0', personalData: 'masked' } as const
    const log = createLog(options, { write: (line: string) => void lines.push(line) })
    const data = Buffer.alloc(1_000, 'x')
    const entry = { namespace: 'Connection', level: logLevel.DEBUG, label: 'DEBUG' }
    kafkajsLogCreator(log)(logLevel.DEBUG)({
      ...entry,
      log: { message: 'Response Produce', timestamp: '', correlationId: 7, data },
    })
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'trace',
      kafka: 'Connection',
      correlationId: 7,
      data: '1000 bytes',
    })
  })
})
