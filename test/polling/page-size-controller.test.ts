import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PageSizeController } from '../../src/polling/page-size-controller.js'

const limits = fc
  .tuple(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5_000 }))
  .map((three) => three.sort((a, b) => a - b))
  .map(([min = 1, start = 1, max = 1]) => ({ min, start, max }))

type Event = 'full' | 'short' | 'empty' | 'unhurried' | 'slow' | 'failed' | 'error'
const events = fc.array(
  fc.constantFrom<Event>('full', 'full', 'full', 'short', 'empty', 'unhurried', 'slow', 'failed', 'error'),
  { maxLength: 300 },
)

const apply = (pace: PageSizeController, event: Event): void => {
  switch (event) {
    case 'full':
      return pace.page(pace.limit, 100)
    case 'short':
      return pace.page(Math.max(1, pace.limit - 1), 100)
    case 'empty':
      return pace.page(0, 100)
    case 'unhurried':
      return pace.page(pace.limit, 3_000)
    case 'slow':
      return pace.page(pace.limit, 6_000)
    case 'failed':
      return pace.failed()
    case 'error':
      return pace.error()
  }
}

describe('the page size', () => {
  it('begins with start and stays a whole number between min and max, whatever happens', () => {
    fc.assert(
      fc.property(limits, events, (bounds, happened) => {
        const pace = new PageSizeController(bounds)
        expect(pace.limit).toBe(bounds.start)
        for (const event of happened) {
          apply(pace, event)
          expect(Number.isInteger(pace.limit)).toBe(true)
          expect(pace.limit).toBeGreaterThanOrEqual(bounds.min)
          expect(pace.limit).toBeLessThanOrEqual(bounds.max)
        }
      }),
    )
  })

  it('grows only after a full page, and shrinks only after an empty one, a slow one or an error', () => {
    fc.assert(
      fc.property(limits, events, (bounds, happened) => {
        const pace = new PageSizeController(bounds)
        for (const event of happened) {
          const before = pace.limit
          apply(pace, event)
          // A short page of a limit of 1 is a full one.
          const full = event === 'full' || (event === 'short' && before === 1)
          if (pace.limit > before) expect(full).toBe(true)
          if (pace.limit < before) expect(['empty', 'slow', 'failed', 'error']).toContain(event)
        }
      }),
    )
  })

  it('reaches max while pages come full and fast, whatever was before', () => {
    fc.assert(
      fc.property(limits, events, (bounds, happened) => {
        const pace = new PageSizeController(bounds)
        for (const event of happened) apply(pace, event)
        for (let page = 0; page < 2_000; page++) apply(pace, 'full')
        expect(pace.limit).toBe(bounds.max)
      }),
    )
  })

  it('reaches min while answers are cut', () => {
    fc.assert(
      fc.property(limits, events, (bounds, happened) => {
        const pace = new PageSizeController(bounds)
        for (const event of happened) apply(pace, event)
        for (let page = 0; page < 20; page++) apply(pace, 'failed')
        expect(pace.limit).toBe(bounds.min)
      }),
    )
  })

  it('that failed is not tried again for fifty good pages', () => {
    const pace = new PageSizeController({ min: 10, start: 400, max: 1_000 })
    pace.failed()
    expect(pace.limit).toBe(200)
    for (let page = 1; page < 50; page++) {
      pace.page(200, 100)
      expect(pace.limit).toBe(200)
    }
    pace.page(200, 100)
    expect(pace.limit).toBe(400)
  })

  it('is not held down by errors that have nothing to do with it', () => {
    const pace = new PageSizeController({ min: 10, start: 400, max: 1_000 })
    pace.error()
    expect(pace.limit).toBe(200)
    pace.page(200, 100)
    expect(pace.limit).toBe(400)
  })

  it('does not shrink because a provider holds the answer of an empty queue back', () => {
    const pace = new PageSizeController({ min: 10, start: 50, max: 1_000 })
    pace.page(0, 25_000)
    expect(pace.limit).toBe(50)
  })
})
