/**
 * Loaded into the connector before it starts (`node --import`). Shifts its wall clock.
 *
 * FAULT_CLOCK: the shift from the start on, in milliseconds.
 * FAULT_CLOCK_JUMPS: twice a second the shift becomes a random one of up to this number of milliseconds, forwards or back.
 */
import { setInterval } from 'node:timers'

const realNow = Date.now
const maxJumpMs = Number(process.env.FAULT_CLOCK_JUMPS ?? '0')
let shiftMs = Number(process.env.FAULT_CLOCK ?? '0')

Date.now = () => realNow() + shiftMs

function jump() {
  shiftMs = Math.round((Math.random() * 2 - 1) * maxJumpMs)
}
if (maxJumpMs > 0) setInterval(jump, 500).unref()
