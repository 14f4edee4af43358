/** What commands print controls no terminal and repeats no secret, whoever wrote it. */
import { PassThrough, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { LineOutput, printOutput, warn } from '../../src/commands/output.js'
import { rememberSecrets } from '../../src/masking/known-secrets.js'

const SECRET = 'kR7-q0_Vb93mZs'
rememberSecrets([SECRET])
/** Clears the screen, sets the title, writes over the line, and changes the direction of writing. */
const HOSTILE = `ok\u001b[2J\u001b]0;title\u0007\rFAILED\u202e\u009b31m ${SECRET}`
const SHOWN = 'ok\\u001b[2J\\u001b]0;title\\u0007\\u000dFAILED\\u202e\\u009b31m …'

const writtenTo = (stream: NodeJS.WriteStream): string[] => {
  const written: string[] = []
  vi.spyOn(stream, 'write').mockImplementation((chunk, callback) => {
    written.push(String(chunk))
    if (typeof callback === 'function') (callback as () => void)()
    return true
  })
  return written
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('A text of others', () => {
  it('is printed by printOutput without controls and secrets, and keeps its lines', async () => {
    const written = writtenTo(process.stdout)
    await printOutput(`${HOSTILE}\nnext\n`)
    expect(written).toEqual([`${SHOWN}\nnext\n`])
  })

  it('is printed by LineOutput without controls and secrets', async () => {
    const stream = new PassThrough()
    const output = new LineOutput(stream)
    await output.write(HOSTILE)
    stream.end()
    expect(await text(stream)).toBe(`${SHOWN}\n`)
  })

  it('is printed by warn without controls, secrets and phone numbers', () => {
    const written = writtenTo(process.stderr)
    warn(`${HOSTILE} +33612345678`)
    expect(written).toEqual([`dlr-mo-connector: ${SHOWN} +336*****678\n`])
  })

  it('stays the same JSON, because controls in a JSON text are written as the escapes of JSON', async () => {
    const stream = new PassThrough()
    const output = new LineOutput(stream)
    const value = { [`key \u202e`]: 'value \u007f \u009b \u2028 \u001b' }
    await output.write(JSON.stringify(value))
    stream.end()
    const line = await text(stream)
    expect(JSON.parse(line)).toEqual(value)
    expect([...'\u202e\u007f\u009b\u2028\u001b'].filter((control) => line.includes(control))).toEqual([])
  })

  it('reaches the reader of an export as it is', async () => {
    const stream = new PassThrough()
    await new LineOutput(stream).writeExactly(HOSTILE)
    stream.end()
    expect(await text(stream)).toBe(`${HOSTILE}\n`)
  })
})

describe('The output of a command', () => {
  it('has one listener for errors of standard output, however often printOutput is called', async () => {
    writtenTo(process.stdout)
    await printOutput('first\n')
    const listeners = process.stdout.listenerCount('error')
    for (let call = 0; call < 20; call++) await printOutput('next\n')
    expect(process.stdout.listenerCount('error')).toBe(listeners)
  })

  it('lets many lines wait for one slow reader without a warning of Node.js that listeners leak', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    try {
      const held: (() => void)[] = []
      const stream = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, taken) => void held.push(taken) })
      const output = new LineOutput(stream)
      const waiting = Array.from({ length: 20 }, () => output.write('line'))
      let hasEnded = false
      const done = Promise.all(waiting).then(() => (hasEnded = true))
      while (!hasEnded) {
        held.shift()?.()
        await new Promise(setImmediate)
      }
      await done
      expect(warnings).toEqual([])
      expect(stream.listenerCount('drain')).toBe(0)
    } finally {
      process.off('warning', onWarning)
    }
  })

  it('ends at once where the reader goes while a line waits', async () => {
    const stream = new Writable({ highWaterMark: 1, write: () => undefined })
    const output = new LineOutput(stream)
    const waiting = output.write('line')
    stream.destroy(new Error('EPIPE'))
    await waiting
    expect(output.closedSignal.aborted).toBe(true)
    await output.write('not read')
  })
})
