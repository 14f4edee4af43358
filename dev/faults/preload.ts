/** Code that is loaded into the connector before it starts. The product itself has no switch for any fault. */

const moduleOption = (name: string): { NODE_OPTIONS: string } => ({
  NODE_OPTIONS: `--import ${new URL(`preload/${name}`, import.meta.url).href}`,
})

/**
 * Environment in which the connector is killed at a step of the flow.
 * @param step see `preload/steps.mjs`
 * @param passage the number of the passage at which it is killed, counted from 1
 */
export const killAtStep = (step: string, passage: number): Record<string, string> => ({
  ...moduleOption('steps.mjs'),
  FAULT_STEP: step,
  FAULT_AT: String(passage),
})

/** Environment in which the connector is killed at a write or an fsync. @param library compiled from `DISK_SOURCE` */
export const killAtDiskStep = (library: string, step: string, passage: number): Record<string, string> => ({
  LD_PRELOAD: library,
  FAULT_STEP: step,
  FAULT_AT: String(passage),
})

/** Environment in which the wall clock of the connector is `ms` milliseconds fast; a negative number sets it back. */
export const shiftClock = (ms: number): Record<string, string> => ({
  ...moduleOption('clock.mjs'),
  FAULT_CLOCK: String(ms),
})

/** Environment in which the wall clock jumps twice a second, by up to `maxMs` milliseconds in either direction. */
export const jumpingClock = (maxMs: number): Record<string, string> => ({
  ...moduleOption('clock.mjs'),
  FAULT_CLOCK_JUMPS: String(maxMs),
})

/** A library that kills the connector at a write or an fsync, and that logs the writes of the journal. */
export const DISK_SOURCE = new URL('preload/disk.c', import.meta.url)
