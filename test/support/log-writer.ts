/**
 * Writes numbered lines to standard output by `openLogOutput`, reports on descriptor 3 that it has, and exits when
 * standard input ends. Its argument is the number of lines.
 */
import { writeSync } from 'node:fs'
import { openLogOutput } from '../../src/admin/log-output.js'
import { systemClock } from '../../src/core/clock.js'

const output = openLogOutput(systemClock)
output.onResumed = (missing) => output.write(`${JSON.stringify({ missing })}\n`)
for (let number = 0; number < Number(process.argv[2]); number++) {
  output.write(`${JSON.stringify({ number, filler: '.'.repeat(256) })}\n`)
}
writeSync(3, 'written')
process.stdin.resume().once('end', () => process.exit(0))
