import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PageSizeController } from '../../src/polling/page-size-controller.js'

const anyLimits = fc
  .tuple(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5_000 }))
  .map((three) => three.sort((a, b) => a - b))
  .map(([min = 1, start = 1, max = 1]) => ({ min, start, max }))

/** `unhurried` is a full page that is neither fast nor slow. */
type Event = 'full' | 'short' | 'empty' | 'unhurried' | 'slow' | 'failed' | 'error'
const anyEvents = fc.array(
  fc.constantFrom<Event>('full', 'full', 'full', 'short', 'empty', 'unhurried', 'slow', 'failed', 'error'),
  { maxLength: 300 },
)

const apply = (controller: PageSizeController, event: Event): void => {
  switch (event) {
    case 'full':
      return controller.pageStored(controller.pageSize, 100)
    case 'short':
      return controller.pageStored(Math.max(1, controller.pageSize - 1), 100)
    case 'empty':
      return controller.pageStored(0, 100)
    case 'unhurried':
      return controller.pageStored(controller.pageSize, 3_000)
    case 'slow':
      return controller.pageStored(controller.pageSize, 6_000)
    case 'failed':
      return controller.pageFailed()
    case 'error':
      return controller.requestFailed()
  }
}

describe('PageSizeController', () => {
  it('begins with start and keeps the page size a whole number between min and max after any events', () => {
    fc.assert(
      fc.property(anyLimits, anyEvents, (limits, events) => {
        const controller = new PageSizeController(limits)
        expect(controller.pageSize).toBe(limits.start)
        for (const event of events) {
          apply(controller, event)
          expect(Number.isInteger(controller.pageSize)).toBe(true)
          expect(controller.pageSize).toBeGreaterThanOrEqual(limits.min)
          expect(controller.pageSize).toBeLessThanOrEqual(limits.max)
        }
      }),
    )
  })

  it('raises the page size only after a full page and lowers it only after an empty or slow page or an error', () => {
    fc.assert(
      fc.property(anyLimits, anyEvents, (limits, events) => {
        const controller = new PageSizeController(limits)
        for (const event of events) {
          const before = controller.pageSize
          apply(controller, event)
          // A page of one row can't be short.
          const isFull = event === 'full' || (event === 'short' && before === 1)
          if (controller.pageSize > before) expect(isFull).toBe(true)
          if (controller.pageSize < before) expect(['empty', 'slow', 'failed', 'error']).toContain(event)
        }
      }),
    )
  })

  it('raises the page size to max while pages are full and fast, after any earlier events', () => {
    fc.assert(
      fc.property(anyLimits, anyEvents, (limits, events) => {
        const controller = new PageSizeController(limits)
        for (const event of events) apply(controller, event)
        for (let page = 0; page < 2_000; page++) apply(controller, 'full')
        expect(controller.pageSize).toBe(limits.max)
      }),
    )
  })

  it('lowers the page size to min while answers are cut', () => {
    fc.assert(
      fc.property(anyLimits, anyEvents, (limits, events) => {
        const controller = new PageSizeController(limits)
        for (const event of events) apply(controller, event)
        for (let page = 0; page < 20; page++) apply(controller, 'failed')
        expect(controller.pageSize).toBe(limits.min)
      }),
    )
  })

  it('tries a page size that failed again only after fifty full and fast pages', () => {
    const controller = new PageSizeController({ min: 10, start: 400, max: 1_000 })
    controller.pageFailed()
    expect(controller.pageSize).toBe(200)
    for (let page = 1; page < 50; page++) {
      controller.pageStored(200, 100)
      expect(controller.pageSize).toBe(200)
    }
    controller.pageStored(200, 100)
    expect(controller.pageSize).toBe(400)
  })

  it('sets no ceiling after an error that the page size did not cause', () => {
    const controller = new PageSizeController({ min: 10, start: 400, max: 1_000 })
    controller.requestFailed()
    expect(controller.pageSize).toBe(200)
    controller.pageStored(200, 100)
    expect(controller.pageSize).toBe(400)
  })

  it('keeps the page size when a provider answers slowly for an empty queue', () => {
    const controller = new PageSizeController({ min: 10, start: 50, max: 1_000 })
    controller.pageStored(0, 25_000)
    expect(controller.pageSize).toBe(50)
  })
})
