import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { substitute } from '../../src/config/substitute.js'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'substitute-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

describe('A variable in a text', () => {
  it('is substituted wherever it occurs', () => {
    expect(substitute('http://${HOST}:${PORT}/${HOST}', { HOST: 'a', PORT: '1' }).text).toBe('http://a:1/a')
  })

  it('may be empty', () => {
    expect(substitute('<${A}>', { A: '' })).toMatchObject({ text: '<>', problems: [] })
  })

  it.each([
    [{}, 'd:-e'],
    [{ A: '' }, 'd:-e'],
    [{ A: 'x' }, 'x'],
  ])('with the environment %j and a default gives %j', (env, text) => {
    expect(substitute('${A:-d:-e}', env).text).toBe(text)
  })

  it('may have an empty default', () => {
    expect(substitute('<${A:-}>', {})).toMatchObject({ text: '<>', problems: [] })
  })

  it('that is not set and has no default is a problem that names the variable', () => {
    expect(substitute('${KAFKA_PASSWORD}', {}).problems).toEqual([
      'the environment variable KAFKA_PASSWORD is not set; set it, or write ${KAFKA_PASSWORD:-default}',
    ])
  })

  it('is looked up in the environment only, not among the properties of every object', () => {
    expect(substitute('${constructor}', {}).problems).toHaveLength(1)
  })

  it('is reported by its name, never by its value or default', () => {
    expect(substitute('${A}${B:-secret}', { A: 'secret' }).from).toEqual(['${A}', '${B}'])
  })
})

/** Nobody writes to it, so that reading it would wait for ever. */
const pipe = (): string => {
  const path = join(directory, 'pipe')
  if (!existsSync(path)) execFileSync('mkfifo', [path])
  return path
}

describe('A file in a text', () => {
  it.each(['secret', 'secret\n', 'secret\r\n', 'secret\n\n'])(
    'with the content %j gives its text without the line breaks at the end',
    (text) => {
      expect(substitute(`<\${file:${file('f', text)}}>`, {}).text).toBe('<secret>')
    },
  )

  it('keeps the line breaks inside it', () => {
    expect(substitute(`\${file:${file('f', 'a\nb\n')}}`, {}).text).toBe('a\nb')
  })

  it.each([
    [(): string => join(directory, 'absent'), 'does not exist'],
    [(): string => directory, 'is a directory'],
    [(): string => '/dev/zero', 'is not a regular file'],
    [pipe, 'is not a regular file'],
    [(): string => file('large', Buffer.alloc(1024 * 1024 + 1)), 'is larger than 1 MiB'],
    [(): string => file('latin', Uint8Array.of(0xe9, 0x0a)), 'is not UTF-8 text'],
  ])('that can not be read as text is a problem', (path, why) => {
    expect(substitute(`\${file:${path()}}`, {}).problems).toEqual([`the file ${JSON.stringify(path())} ${why}`])
  })
})

describe('substitute', () => {
  it('turns $${ into a literal ${', () => {
    expect(substitute('$${A} $${ ${A}', { A: 'x' })).toMatchObject({ text: '${A} ${ x', problems: [] })
  })

  it.each(['$', '$$', '$A', '{A}', 'a$b{c}'])('leaves %j as it is', (text) => {
    expect(substitute(text, { A: 'x' })).toEqual({ text, from: [], problems: [] })
  })

  it.each(['${', '${A', '${}', '${1A}', '${A-b}', '${A B}', '${A:-${B}}'])('reports a problem for %j', (text) => {
    expect(substitute(text, { A: '', B: 'x' }).problems).toHaveLength(1)
  })

  it('reports every problem of a text, without showing what the braces contain', () => {
    const { problems } = substitute('${A}${hunter2!}${B}', {})
    expect(problems).toHaveLength(3)
    expect(problems.join()).not.toContain('hunter2')
  })
})

it('substitute does not read substituted text again', () => {
  const piece = fc.constantFrom('${A}', '${B}', '$${', '${', '}', '$', 'x', '${A:-y}', '${file:z}')
  const anyText = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      expect(substitute('<${A}|${B}>', { A: a, B: b })).toEqual({
        text: `<${a}|${b}>`,
        from: ['${A}', '${B}'],
        problems: [],
      })
    }),
  )
})
