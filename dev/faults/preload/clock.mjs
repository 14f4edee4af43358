/**
 * Loaded into the connector before it starts (`node --import`): its wall clock is wrong.
 *
 * FAULT_CLOCK: by how many ms it is off from the start; FAULT_CLOCK_JUMPS: twice a second it jumps, by up to so many ms,
 * to either side.
 */
import { setInterval } from 'node:timers'

const real = Date.now
const jumps = Number(process.env.FAULT_CLOCK_JUMPS ?? '0')
let off = Number(process.env.FAULT_CLOCK ?? '0')

Date.now = () => real() + off
if (jumps > 0) setInterval(() => (off = Math.round((Math.random() * 2 - 1) * jumps)), 500).unref()
