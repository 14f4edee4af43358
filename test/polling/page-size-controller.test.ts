import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PageSizeController } from '../../src/polling/page-size-controller.js'

/** Pages after which the controller decides. */
const PAGES_PER_ROUND = 5

interface Limits {
  readonly min: number
  readonly start: number
  readonly max: number
  readonly itemsPerSecond: number
}

const DEFAULTS: Limits = { min: 10, start: 50, max: 1_000, itemsPerSecond: 1_000 }

const anyLimits: fc.Arbitrary<Limits> = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 3, maxLength: 3 }),
    fc.integer({ min: 1, max: 100_000 }),
  )
  .map(([sizes, itemsPerSecond]) => {
    const [min = 1, start = 1, max = 1] = sizes.sort((a, b) => a - b)
    return { min, start, max, itemsPerSecond }
  })

/** What one request can come to. `missingRows` is how many rows a page has less than were asked for. */
type Outcome =
  | { readonly kind: 'page'; readonly missingRows: number; readonly durationMs: number }
  | { readonly kind: 'empty' | 'failed' | 'error' }

const anyDurationMs = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 8_000 }))
const fullPage = fc.record({
  kind: fc.constant('page' as const),
  missingRows: fc.constant(0),
  durationMs: anyDurationMs,
})
const anyOutcomes: fc.Arbitrary<Outcome[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fullPage },
    { weight: 2, arbitrary: fc.record({ ...pageKind(), missingRows: fc.integer({ min: 1, max: 50 }) }) },
    { weight: 1, arbitrary: fc.constantFrom<Outcome>({ kind: 'empty' }, { kind: 'failed' }, { kind: 'error' }) },
  ),
  { maxLength: 300 },
)

function pageKind() {
  return { kind: fc.constant('page' as const), durationMs: anyDurationMs }
}

/** Reports an outcome. @returns the number of rows of the page; undefined if there was no page with rows */
function apply(controller: PageSizeController, outcome: Outcome): number | undefined {
  if (outcome.kind === 'page') {
    const rows = Math.max(1, controller.pageSize - outcome.missingRows)
    controller.pageStored(rows, outcome.durationMs)
    return rows
  }
  if (outcome.kind === 'empty') controller.pageStored(0, 100)
  else if (outcome.kind === 'failed') controller.pageFailed()
  else controller.requestFailed()
  return undefined
}

/**
 * Drains a queue that is never empty.
 * @param durationMs of a page of this size
 * @returns the size of each page, and of the page that would be next
 */
function drain(controller: PageSizeController, pages: number, durationMs: (pageSize: number, page: number) => number) {
  const sizes = [controller.pageSize]
  for (let page = 0; page < pages; page++) {
    controller.pageStored(controller.pageSize, durationMs(controller.pageSize, page))
    sizes.push(controller.pageSize)
  }
  return sizes
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

describe('PageSizeController', () => {
  it('begins with start and keeps the page size a whole number between min and max after any outcomes', () => {
    fc.assert(
      fc.property(anyLimits, anyOutcomes, (limits, outcomes) => {
        const controller = new PageSizeController(limits)
        expect(controller.pageSize).toBe(limits.start)
        for (const outcome of outcomes) {
          apply(controller, outcome)
          expect(Number.isInteger(controller.pageSize)).toBe(true)
          expect(controller.pageSize).toBeGreaterThanOrEqual(limits.min)
          expect(controller.pageSize).toBeLessThanOrEqual(limits.max)
        }
      }),
    )
  })

  it('grows only after five full pages in a row that delivered less than itemsPerSecond, and at most by half', () => {
    let growths = 0
    fc.assert(
      fc.property(anyLimits, anyOutcomes, (limits, outcomes) => {
        const controller = new PageSizeController(limits)
        let fullPagesMs: number[] = []
        for (const outcome of outcomes) {
          const before = controller.pageSize
          const rows = apply(controller, outcome)
          const isFull = outcome.kind === 'page' && rows === before
          fullPagesMs = isFull ? [...fullPagesMs, outcome.durationMs] : []
          if (controller.pageSize <= before) continue
          growths++
          const round = fullPagesMs.slice(-PAGES_PER_ROUND)
          expect(round).toHaveLength(PAGES_PER_ROUND)
          expect((1_000 * before) / median(round)).toBeLessThan(limits.itemsPerSecond)
          expect(controller.pageSize).toBeLessThanOrEqual(Math.ceil(1.5 * before))
        }
      }),
    )
    expect(growths).toBeGreaterThan(0)
  })

  it('converges to itemsPerSecond × round trip within 1,500 pages, after any earlier outcomes and with a noisy round trip', () => {
    const anyRoundTripMs = fc.integer({ min: 5, max: 4_000 })
    fc.assert(
      fc.property(
        anyLimits,
        anyOutcomes,
        anyRoundTripMs,
        fc.noShrink(fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true }))),
        (limits, outcomes, roundTripMs, noise) => {
          const controller = new PageSizeController(limits)
          for (const outcome of outcomes) apply(controller, outcome)
          drain(controller, 1_500, () => roundTripMs * (1 + 0.03 * (noise.next().value as number)))
          const needed = (limits.itemsPerSecond * roundTripMs) / 1_000
          const within = (size: number): number => Math.min(limits.max, Math.max(limits.min, size))
          expect(controller.pageSize).toBeGreaterThanOrEqual(within(Math.floor(0.85 * needed)))
          expect(controller.pageSize).toBeLessThanOrEqual(within(Math.ceil(1.6 * needed)))
        },
      ),
    )
  })

  it.each([
    [5, 10],
    [50, 50],
    [500, 500],
    [2_000, 1_000],
  ])('asks by default, at a round trip of %i ms, for %i items after at most 50 pages', (roundTripMs, pageSize) => {
    const sizes = drain(new PageSizeController(DEFAULTS), 100, () => roundTripMs)
    expect(new Set(sizes.slice(50))).toEqual(new Set([pageSize]))
  })

  it('shrinks a start that is larger than needed after five pages', () => {
    const sizes = drain(new PageSizeController({ ...DEFAULTS, start: 1_000 }), 20, () => 50)
    expect(sizes.slice(0, 6)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, 50])
    expect(new Set(sizes.slice(5))).toEqual(new Set([50]))
  })

  it('keeps min where min, start and max are equal, however fast the account is', () => {
    const controller = new PageSizeController({ ...DEFAULTS, min: 1_000, start: 1_000 })
    expect(new Set(drain(controller, 100, () => 1))).toEqual(new Set([1_000]))
    controller.pageFailed()
    controller.requestFailed()
    expect(controller.pageSize).toBe(1_000)
  })

  it('does not climb where larger pages only take longer, and ends near min', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 850 }),
        fc.noShrink(fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true }))),
        (itemsPerSecond, noise) => {
          const sizes = drain(
            new PageSizeController(DEFAULTS),
            2_000,
            (size) => (1_000 * size * (1 + 0.04 * (noise.next().value as number))) / itemsPerSecond,
          )
          expect(Math.max(...sizes)).toBeLessThanOrEqual(75)
          expect(Math.max(...sizes.slice(200))).toBeLessThanOrEqual(15)
        },
      ),
    )
  })

  it('does not climb to max even where an overloaded account answers with a very uneven round trip', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 700 }),
        fc.noShrink(fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true }))),
        (itemsPerSecond, noise) => {
          const sizes = drain(
            new PageSizeController(DEFAULTS),
            2_000,
            (size) => (1_000 * size * (1 + 0.2 * (noise.next().value as number))) / itemsPerSecond,
          )
          expect(Math.max(...sizes)).toBeLessThan(DEFAULTS.max / 2)
        },
      ),
    )
  })

  it('does not climb while pages are not full five times in a row', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 100 }), anyDurationMs, (runs, durationMs) => {
        const controller = new PageSizeController(DEFAULTS)
        for (const fullPages of runs) {
          drain(controller, fullPages, () => durationMs)
          controller.pageStored(controller.pageSize - 1, durationMs)
          expect(controller.pageSize).toBeLessThanOrEqual(DEFAULTS.start)
        }
      }),
    )
  })

  it('is not affected by two hiccups among five pages', () => {
    const sizes = drain(new PageSizeController(DEFAULTS), 100, (_size, page) => (page % 5 < 2 ? 800 : 50))
    expect(new Set(sizes)).toEqual(new Set([50]))
  })

  it('follows the round trip when it changes', () => {
    const controller = new PageSizeController(DEFAULTS)
    expect(drain(controller, 50, () => 200).at(-1)).toBe(200)
    expect(drain(controller, 50, () => 60).at(-1)).toBe(60)
    expect(drain(controller, 50, () => 400).at(-1)).toBe(400)
  })

  it('lowers the page size to min while answers are cut, after any earlier outcomes', () => {
    fc.assert(
      fc.property(anyLimits, anyOutcomes, (limits, outcomes) => {
        const controller = new PageSizeController(limits)
        for (const outcome of outcomes) apply(controller, outcome)
        for (let page = 0; page < 20; page++) controller.pageFailed()
        expect(controller.pageSize).toBe(limits.min)
      }),
    )
  })

  it('halves the page size after a page that took longer than five seconds', () => {
    const controller = new PageSizeController({ ...DEFAULTS, start: 400 })
    controller.pageStored(400, 6_000)
    expect(controller.pageSize).toBe(200)
  })

  it('tries a page size that failed again only after fifty full pages', () => {
    const controller = new PageSizeController({ ...DEFAULTS, start: 400 })
    controller.pageFailed()
    expect(new Set(drain(controller, 49, () => 400))).toEqual(new Set([200]))
    expect(drain(controller, 1, () => 400)).toEqual([200, 300])
  })

  it('sets no ceiling after an error that the page size did not cause', () => {
    const controller = new PageSizeController({ ...DEFAULTS, start: 400 })
    controller.requestFailed()
    expect(controller.pageSize).toBe(200)
    expect(drain(controller, 20, () => 400).at(-1)).toBe(400)
  })

  it('returns to start when the queue is empty, and keeps a smaller page size', () => {
    const controller = new PageSizeController(DEFAULTS)
    expect(drain(controller, 50, () => 200).at(-1)).toBe(200)
    controller.pageStored(0, 25_000)
    expect(controller.pageSize).toBe(50)
    controller.requestFailed()
    controller.pageStored(0, 25_000)
    expect(controller.pageSize).toBe(25)
  })
})
