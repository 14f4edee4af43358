import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConnectorError } from '../../src/core/errors.js'
import { createLog } from '../../src/admin/log.js'
import { maskNumber, personalDataMask } from '../../src/masking/personal-data.js'

const logged = (
  write: (log: ReturnType<typeof createLog>) => void,
  personalData: 'masked' | 'plain' = 'masked',
): string[] => {
  const lines: string[] = []
  const options = { level: 'info', instance: 'connector-0', personalData } as const
  write(createLog(options, { write: (line: string) => void lines.push(line) }))
  return lines
}

describe('the log', () => {
  it('is one JSON object a line, with time, level by name, and instance', () => {
    const [line = ''] = logged((log) => log.info({ source: 's' }, 'said'))
    const { time, ...rest } = JSON.parse(line) as Record<string, unknown>
    expect(rest).toEqual({ level: 'info', instance: 'connector-0', source: 's', msg: 'said' })
    expect(Number.isNaN(Date.parse(String(time)))).toBe(false)
  })

  it('leaves out what is below its level', () => {
    expect(logged((log) => log.debug({}, 'not said'))).toEqual([])
  })

  it('cuts out credentials that slip in, at the top and two levels down', () => {
    const secrets = {
      password: 'pw-1',
      token: 'tk-1',
      apiKey: 'ak-1',
      signingKey: 'sk-1',
      authorization: 'az-1',
      'x-api-key': 'xk-1',
      'x-signature': 'xs-1',
    }
    const [text = ''] = logged((log) => log.info({ ...secrets, pull: secrets, source: { callback: secrets } }, 'said'))
    for (const value of Object.values(secrets)) expect(text).not.toContain(value)
    expect(JSON.parse(text)).toMatchObject({ pull: { password: '(not shown)' } })
  })

  it('shows of an error what explains it, and not what a library hung on it', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', sasl: { password: 'pw-1' } })
    const error = new ConnectorError('KAFKA_UNREACHABLE', 'no broker answers', { cause })
    const [text = ''] = logged((log) => log.error({ err: error }, 'said'))
    const { err } = JSON.parse(text) as { err: { code: string; message: string; cause: { code: string } } }
    expect(err).toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: 'no broker answers',
      cause: { code: 'ECONNREFUSED' },
    })
    expect(text).not.toContain('pw-1')
  })
})

describe('personal data', () => {
  it('masked: numbers keep their ends, texts their length', () => {
    const { number, text } = personalDataMask('masked')
    expect(number('+33612345678')).toBe('+336*****678')
    expect(text('See you at 8')).toBe('(12 characters)')
    expect(number(null)).toBeNull()
    expect(text(null)).toBeNull()
  })

  it('in what a provider said is masked too, unless it is to be shown', () => {
    const detail = 'Number +33 6 12 34 56 78 (33612345678) is on no list since 2026-01-02 12:00:00, code 12345, 64000 B'
    const shown = (lines: string[]): unknown => (JSON.parse(lines[0] ?? '') as { detail: unknown }).detail
    expect(shown(logged((log) => log.warn({ detail }, 'said')))).toBe(
      'Number +33 ********** 78 (336******78) is on no list since 2026-01-02 12:00:00, code 12345, 64000 B',
    )
    expect(shown(logged((log) => log.warn({ detail }, 'said'), 'plain'))).toBe(detail)
  })

  it('plain: as it is', () => {
    const { number, text } = personalDataMask('plain')
    expect(number('+33612345678')).toBe('+33612345678')
    expect(text('See you at 8')).toBe('See you at 8')
  })

  it('of any length keeps its length and hides at least two fifths', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[+0-9]{1,40}$/), (number) => {
        const masked = maskNumber(number) ?? ''
        expect(masked).toHaveLength(number.length)
        expect([...masked].filter((each) => each === '*').length).toBeGreaterThanOrEqual(Math.ceil(number.length * 0.4))
      }),
    )
  })
})
