import fc from 'fast-check'
import type { Logger } from 'pino'
import { describe, expect, it } from 'vitest'
import { ConnectorError } from '../../src/core/errors.js'
import { createLog } from '../../src/admin/log.js'
import { rememberSecrets } from '../../src/masking/known-secrets.js'
import { maskNumber, personalDataMask } from '../../src/masking/personal-data.js'

const logged = (write: (log: Logger) => void, personalData: 'masked' | 'plain' = 'masked'): string[] => {
  const lines: string[] = []
  const options = { level: 'info', instance: 'connector-0', personalData } as const
  // The logger takes any facts; the type `Log` is for the program, where each line has an event.
  write(createLog(options, { write: (line: string) => void lines.push(line) }) as Logger)
  return lines
}

const throwError = (): never => {
  throw new Error('no such value')
}

describe('createLog', () => {
  it('writes one JSON object per line, with time, the name of the level, and instance', () => {
    const [line = ''] = logged((log) => log.info({ source: 's' }, 'message'))
    const { time, ...rest } = JSON.parse(line) as Record<string, unknown>
    expect(rest).toEqual({ level: 'info', instance: 'connector-0', source: 's', msg: 'message' })
    expect(Number.isNaN(Date.parse(String(time)))).toBe(false)
  })

  it('writes nothing below its level', () => {
    expect(logged((log) => log.debug({}, 'message'))).toEqual([])
  })

  it.each<[string, object]>([
    ['a buffer', { data: Buffer.from('bytes') }],
    ['an object whose property throws', Object.defineProperty({}, 'data', { enumerable: true, get: throwError })],
    ['a map, a date and a bigint', { map: new Map([['a', 1n]]), date: new Date(0), big: 1n }],
  ])('never throws, whatever is logged, and writes the message at least: %s', (_what, fields) => {
    const lines = logged((log) => log.info(Object.assign(fields, { event: 'pull-recovered' }), 'what has happened'))
    expect(lines).toHaveLength(1)
    const { msg, event } = JSON.parse(lines[0]!) as { msg: string; event: string }
    expect(msg).toMatch(/^what has happened/)
    expect(event).toBe('pull-recovered')
  })

  it('removes credentials at the top level and up to two levels below', () => {
    const secrets = {
      password: 'pw-1',
      token: 'tk-1',
      apiKey: 'ak-1',
      signingKey: 'sk-1',
      authorization: 'az-1',
      'x-api-key': 'xk-1',
      'x-signature': 'xs-1',
    }
    const [text = ''] = logged((log) =>
      log.info({ ...secrets, pull: secrets, source: { callback: secrets } }, 'message'),
    )
    for (const value of Object.values(secrets)) expect(text).not.toContain(value)
    expect(JSON.parse(text)).toMatchObject({ pull: { password: '(not shown)' } })
  })

  it('writes code, message and causes of an error, and no other field', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', sasl: { password: 'pw-1' } })
    const error = new ConnectorError('KAFKA_UNREACHABLE', 'no broker answers', { cause })
    const [text = ''] = logged((log) => log.error({ err: error }, 'message'))
    const { err } = JSON.parse(text) as { err: { code: string; message: string; cause: { code: string } } }
    expect(err).toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: 'no broker answers',
      cause: { code: 'ECONNREFUSED' },
    })
    expect(text).not.toContain('pw-1')
  })
})

describe('A line of the log, whoever wrote the texts in it', () => {
  const secret = 'Tr0ub4dor-and-3'
  rememberSecrets([secret])
  const error = new Error(`refused ${secret}\nfor +33612345678`)
  const write = (log: Logger): void =>
    log.warn({ err: error, error: error.message, facts: { list: [error.message] } }, `it failed: ${error.message}`)

  it('shows no secret and no phone number, in no field', () => {
    const [line = ''] = logged(write)
    expect(line).not.toContain(secret)
    expect(line).not.toContain('33612345678')
    const { msg, err } = JSON.parse(line) as { msg: string; err: { stack: string } }
    expect(msg).toBe('it failed: refused …\nfor +336*****678')
    expect(err.stack).toContain('\n    at ')
  })

  it('shows phone numbers only if the configuration asks for it, and secrets never', () => {
    const [line = ''] = logged(write, 'plain')
    expect(line).toContain('+33612345678')
    expect(line).not.toContain(secret)
  })

  it('keeps what identifies a message, a time and numbers that are no texts', () => {
    const facts = { messageId: '77123456789', bytes: 1_073_741_824, source: 'a-123456789' }
    const [line = ''] = logged((log) => log.info({ ...facts, detail: '2026-11-28T06:00:00.123Z' }, 'message'))
    expect(JSON.parse(line)).toMatchObject({ ...facts, detail: '2026-11-28T06:00:00.123Z' })
  })

  it('is at most some thousand characters long, and shows no part of a secret where it is cut', () => {
    const text = `${'x'.repeat(1_995)}${secret}${'y'.repeat(5_000_000)}`
    const [line = ''] = logged((log) => log.error({ err: new Error(text), detail: text }, text))
    expect(line.length).toBeLessThan(20_000)
    expect(line).not.toContain(secret.slice(0, 5))
  })
})

describe('personalDataMask', () => {
  it('keeps the ends of numbers and the length of texts in the mode masked', () => {
    const { number, text } = personalDataMask('masked')
    expect(number('+33612345678')).toBe('+336*****678')
    expect(text('See you at 8')).toBe('(12 characters)')
    expect(number(null)).toBeNull()
    expect(text(null)).toBeNull()
  })

  it('is applied to the field detail of a log line, unless personal data is shown', () => {
    const detail = 'Number +33 6 12 34 56 78 (33612345678) is on no list since 2026-01-02 12:00:00, code 12345, 64000 B'
    const shown = (lines: string[]): unknown => (JSON.parse(lines[0] ?? '') as { detail: unknown }).detail
    expect(shown(logged((log) => log.warn({ detail }, 'message')))).toBe(
      'Number +33 ********** 78 (336******78) is on no list since 2026-01-02 12:00:00, code 12345, 64000 B',
    )
    expect(shown(logged((log) => log.warn({ detail }, 'message'), 'plain'))).toBe(detail)
  })

  it('changes nothing in the mode plain', () => {
    const { number, text } = personalDataMask('plain')
    expect(number('+33612345678')).toBe('+33612345678')
    expect(text('See you at 8')).toBe('See you at 8')
  })

  it('keeps the length of any number and hides at least two fifths of it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[+0-9]{1,40}$/), (number) => {
        const masked = maskNumber(number) ?? ''
        expect(masked).toHaveLength(number.length)
        expect([...masked].filter((each) => each === '*').length).toBeGreaterThanOrEqual(Math.ceil(number.length * 0.4))
      }),
    )
  })
})
