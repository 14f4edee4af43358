/**
 * docs/logs.md and the log calls of `src/` agree: each event is in the document, each event of the document is logged, and
 * the fields that a call names are in the row of its event.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { LOG_EVENTS } from '../src/core/log-events.js'

const ROOT = join(import.meta.dirname, '..')
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

interface LoggedEvent {
  readonly event: string
  readonly fields: readonly string[]
}

const propertyName = (property: ts.ObjectLiteralElementLike): string | undefined =>
  property.name !== undefined && (ts.isIdentifier(property.name) || ts.isStringLiteral(property.name))
    ? property.name.text
    : undefined

/** The text of every string literal within the node. */
function stringsIn(node: ts.Node): string[] {
  const own = ts.isStringLiteral(node) ? [node.text] : []
  const nested: string[] = []
  ts.forEachChild(node, (child) => void nested.push(...stringsIn(child)))
  return [...own, ...nested]
}

/** The events that an object literal with a property `event`, `failureEvent` or `recoveryEvent` names, and its other keys. */
function eventsOf(literal: ts.ObjectLiteralExpression): LoggedEvent[] {
  const names = literal.properties.map(propertyName)
  return literal.properties.flatMap((property, index) => {
    if (!/^(event|failureEvent|recoveryEvent)$/.test(names[index] ?? '') || !ts.isPropertyAssignment(property))
      return []
    const fields = names[index] === 'event' ? names.filter((name) => name !== undefined && name !== 'event') : []
    return stringsIn(property.initializer).map((event) => ({ event, fields: fields as string[] }))
  })
}

function loggedIn(file: string): { events: LoggedEvent[]; strings: string[] } {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  const events: LoggedEvent[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isObjectLiteralExpression(node)) events.push(...eventsOf(node))
    ts.forEachChild(node, visit)
  }
  visit(source)
  return { events, strings: stringsIn(source) }
}

const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== 'core/log-events.ts')
  .map((file) => join(ROOT, 'src', file))
const logged = files.map(loggedIn)
const strings = new Set(logged.flatMap((each) => each.strings))

const rows = [
  ...readFileSync(join(ROOT, 'docs/logs.md'), 'utf8').matchAll(/^\| `([a-z-]+)` \| (\w+) \| ([^|]*)\| ([^|]+) \|$/gm),
].map(([, event = '', level = '', fields = '', meaning = '']) => ({
  event,
  level,
  fields: [...fields.matchAll(/`(\w+)`/g)].map(([, field = '']) => field),
  meaning,
}))

describe('docs/logs.md', () => {
  it('has one row for each event of LOG_EVENTS, with its level: add a row when you add an event', () => {
    const documented = Object.fromEntries(rows.map(({ event, level }) => [event, level]))
    expect(documented).toEqual(LOG_EVENTS)
    expect(rows).toHaveLength(Object.keys(LOG_EVENTS).length)
  })

  it('lists every field that a log call names beside its event', () => {
    const calls = logged.flatMap(({ events }) => events).filter(({ event }) => event in LOG_EVENTS)
    const missing = calls.flatMap(({ event, fields }) => {
      const row = rows.find((each) => each.event === event)
      return fields.filter((field) => !row?.fields.includes(field)).map((field) => `${event}: ${field}`)
    })
    expect(missing).toEqual([])
    expect(calls.filter(({ fields }) => fields.length > 0).length).toBeGreaterThan(20)
  })
})

describe('LOG_EVENTS', () => {
  it('is sorted, and names each event in small letters with hyphens', () => {
    const names = Object.keys(LOG_EVENTS)
    expect(names).toEqual([...names].sort())
    expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([])
    expect(Object.values(LOG_EVENTS).every((level) => LEVELS.includes(level))).toBe(true)
  })

  it('has no event that the program does not log', () => {
    expect(Object.keys(LOG_EVENTS).filter((event) => !strings.has(event))).toEqual([])
  })
})

describe('The log of the program', () => {
  it('is written by the type Log, which demands an event: only src/admin/log.ts creates a logger of pino', () => {
    const importers = files.filter((file) =>
      /import (?!type \{ DestinationStream \}).* from 'pino'/.test(readFileSync(file, 'utf8')),
    )
    expect(importers.map((file) => file.slice(ROOT.length + 1))).toEqual(['src/admin/log.ts'])
  })
})
