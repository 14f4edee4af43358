/**
 * Loaded into the connector before it starts (`node --import`). SIGUSR2 starts a CPU profile of the main thread; the next SIGUSR2
 * ends it and writes it to the file in BENCH_PROFILE.
 */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

const SAMPLING_INTERVAL_US = 500

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US })

let isRunning = false
process.on('SIGUSR2', () => {
  if (!isRunning) session.post('Profiler.start')
  else
    session.post('Profiler.stop', (_error, { profile }) =>
      writeFileSync(process.env.BENCH_PROFILE, JSON.stringify(profile)),
    )
  isRunning = !isRunning
})
