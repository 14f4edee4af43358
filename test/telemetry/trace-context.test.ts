import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTraceparent, parseTraceparent } from '../../src/telemetry/trace-context.js'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SPAN_ID = 'b7ad6b7169203331'
const VALID = `00-${TRACE_ID}-${SPAN_ID}-01`

const hex = (digits: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((each) => each.join(''))
    .filter((text) => /[^0]/.test(text))

describe('A traceparent', () => {
  it('is read as the specification defines it', () => {
    expect(parseTraceparent(VALID)).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, isSampled: true })
    expect(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-00`)?.isSampled).toBe(false)
  })

  it('is sampled by the lowest bit of its flags alone', () => {
    expect(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-02`)?.isSampled).toBe(false)
    expect(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-ff`)?.isSampled).toBe(true)
  })

  it.each([
    ['is absent', undefined],
    ['is empty', ''],
    ['has the version ff', `ff-${TRACE_ID}-${SPAN_ID}-01`],
    ['has a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN_ID}-01`],
    ['has a span id of zeros', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
    ['has capital letters', VALID.toUpperCase()],
    ['has a further field in version 00', `${VALID}-more`],
    ['has no flags', `00-${TRACE_ID}-${SPAN_ID}`],
    ['has a trace id that is too short', `00-${TRACE_ID.slice(1)}-${SPAN_ID}-01`],
    ['has a digit that is not hexadecimal', `00-${TRACE_ID.replace('a', 'g')}-${SPAN_ID}-01`],
    ['was sent twice', `${VALID}, ${VALID}`],
    ['has text in front of it', `x${VALID}`],
    ['has a line break in it', `${VALID}\n${VALID}`],
    ['is very long', `01-${TRACE_ID}-${SPAN_ID}-01-${'x'.repeat(1_000_000)}`],
  ])('counts as absent if it %s', (_flaw, header) => {
    expect(parseTraceparent(header)).toBeUndefined()
  })

  it('of a later version is read by the fields of version 00, whatever follows them', () => {
    expect(parseTraceparent(`01-${TRACE_ID}-${SPAN_ID}-01`)?.traceId).toBe(TRACE_ID)
    expect(parseTraceparent(`cc-${TRACE_ID}-${SPAN_ID}-01-what-the-future-holds`)?.spanId).toBe(SPAN_ID)
    expect(parseTraceparent(`cc-${TRACE_ID}-${SPAN_ID}-01what`)).toBeUndefined()
  })

  it('is read as it was written', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, isSampled) => {
        const context = { traceId, spanId, isSampled }
        expect(parseTraceparent(formatTraceparent(context))).toEqual(context)
      }),
    )
  })

  it('is never anything but 55 characters of version 00 when it is passed on, whatever was received', () => {
    const pieces = fc.constantFrom('00', '01', 'ff', '-', TRACE_ID, SPAN_ID, VALID, 'x', ' ')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((each) => each.join('')),
        ),
        (header) => {
          const context = parseTraceparent(header)
          if (context) expect(formatTraceparent(context)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
        },
      ),
    )
  })
})
