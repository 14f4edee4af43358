import { describe, expect, it } from 'vitest'
import { ReconcileReporter } from '../../src/reconciliation/reconcile-reporter.js'
import { ManualClock } from '../support/manual-clock.js'
import { RecordingLog } from '../support/recording-observers.js'

describe('ReconcileReporter', () => {
  it('logs two lines a minute of an account that fails and recovers every second', async () => {
    const clock = new ManualClock()
    const log = new RecordingLog()
    const observer = { requestEnded: () => undefined, stateChanged: () => undefined }
    const reporter = new ReconcileReporter('seven-main', { clock, log, observer })
    for (let i = 0; i < 60; i++) {
      reporter.reportFailure('status', 'refused', 'HTTP 503')
      await clock.advance(1_000)
      reporter.reportAnswer('status')
      await clock.advance(1_000)
    }
    const failure = 'reconciling fails and is retried with growing delays'
    const recovery = 'reconciling works again'
    expect(log.lines.map(({ message }) => message)).toEqual([failure, recovery, failure, recovery])
  })
})
