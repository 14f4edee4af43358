import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { listProviders, newProvider, showProvider, testProvider } from '../../src/commands/providers.js'
import { descriptionOf, RECEIPT } from '../providers/described/support.js'

let directory: string
let printed: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dlrmo-providers-'))
  printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text, ...rest) => {
    printed += String(text)
    const done = rest.at(-1)
    if (typeof done === 'function') done()
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true, force: true })
})

const write = (name: string, text: string): string => {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}
const sample = (items: string): string =>
  `${descriptionOf(RECEIPT)}\nsamples: [{ name: one, evidence: unknown, body: "id=1&state=ok", items: [${items}] }]`

describe('providers list', () => {
  it('shows the coded, the shipped and the own providers, and ends with 2 if one of them can not be used', async () => {
    write('example.yaml', descriptionOf(RECEIPT))
    expect(await listProviders({ json: false, directory })).toBe(0)
    expect(printed).toMatch(/^mtarget +receipts, messages, pull +Mtarget, queue and push +in code$/m)
    expect(printed).toMatch(/^twilio +receipts, messages/m)
    expect(printed).toMatch(/^example +receipts +Example +.*example\.yaml$/m)
    write('broken.yaml', 'provider: broken')
    expect(await listProviders({ json: true, directory })).toBe(2)
  })
})

describe('providers show', () => {
  it('shows documents, evidence and the description', async () => {
    expect(await showProvider('twilio', { json: false })).toBe(0)
    expect(printed).toContain('document    https://www.twilio.com/')
    expect(printed).toMatch(/^attested +\S/m)
    expect(printed).toContain('partially_delivered: DELIVERED')
  })

  it('names the providers that there are if there is none of that name', async () => {
    await expect(showProvider('nobody', { json: false })).rejects.toThrow(/no provider named nobody; .*mtarget, seven/)
  })
})

describe('providers test', () => {
  it('shows the items of each sample, and ends with 0 if they are those of the sample', async () => {
    const file = write('example.yaml', sample('{ kind: dlr, messageId: "1", status: DELIVERED }'))
    expect(await testProvider(file, { json: false })).toBe(0)
    expect(printed).toMatch(/^ok +one\n +dlr\n +messageId +1$/m)
  })

  it('says what differs, and ends with 2', async () => {
    const file = write('example.yaml', sample('{ kind: dlr, status: ENROUTE }, { kind: mo }'))
    expect(await testProvider(file, { json: false })).toBe(2)
    expect(printed).toContain('there are 1 items, and 2 are expected')
    expect(printed).toContain('item 1: status is "DELIVERED", and "ENROUTE" is expected')
  })

  it('ends with 2 without samples', async () => {
    expect(await testProvider(write('example.yaml', descriptionOf(RECEIPT)), { json: false })).toBe(2)
  })

  it('decodes a captured request, and ends with 2 if it gives a dead letter', async () => {
    const file = write('example.yaml', descriptionOf(RECEIPT))
    expect(await testProvider(file, { json: true, request: write('good.http', 'id=1&state=ok') })).toBe(0)
    expect(JSON.parse(printed)).toMatchObject({ items: [{ kind: 'dlr', messageId: '1' }] })
    expect(await testProvider(file, { json: false, request: write('bad.http', 'state=ok') })).toBe(2)
    expect(printed).toContain('missing-id')
  })

  it('names the file that it can not read', async () => {
    const file = write('example.yaml', descriptionOf(RECEIPT))
    await expect(testProvider(file, { json: false, request: join(directory, 'none') })).rejects.toThrow(
      /none can't be read/,
    )
    await expect(testProvider(join(directory, 'none.yaml'), { json: false })).rejects.toThrow(/none\.yaml/)
  })
})

describe('providers new', () => {
  it('writes a description whose sample passes, and never over another file', async () => {
    const request = write(
      'captured.http',
      'POST /cb HTTP/1.1\nContent-Type: application/json\n\n{"id":"1","status":"sent"}',
    )
    const output = join(directory, 'example.yaml')
    expect(await newProvider('example', { request, output })).toBe(0)
    expect(await testProvider(output, { json: false })).toBe(0)
    const before = readFileSync(output, 'utf8')
    await expect(newProvider('example', { request, output })).rejects.toThrow(/can't be written/)
    expect(readFileSync(output, 'utf8')).toBe(before)
  })

  it('refuses a name that no file and no source can have', async () => {
    const request = write('captured.http', 'id=1')
    await expect(newProvider('My Provider', { request })).rejects.toThrow(
      /can't be the name of a provider; use .* begins with a letter or a digit/,
    )
    const output = join(directory, '46example.yaml')
    expect(await newProvider('46example', { request, output })).toBe(0)
  })
})
