/** How the status page shows times, sizes, numbers and long texts. */
import { formatElapsedTime } from '../../core/elapsed-time.js'
import { html, type Html } from './html.js'

/** The characters of a text that the page shows. /status.json has more, and the log has all of it. */
const MAX_SHOWN_CHARACTERS = 400

export const secondsBetween = (from: string, to: string): number =>
  Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1_000))

export const formatAgo = (at: string, now: string): string => {
  const seconds = secondsBetween(at, now)
  return seconds === 0 ? 'just now' : `${formatElapsedTime(seconds)} ago`
}

/** `2026-11-28 01:45:03 UTC` */
const formatAbsolute = (at: string): string => `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`

/**
 * A relative time. The absolute one appears when the time is hovered, or opened by click, tap or keyboard.
 * @param id tells this time apart from the others of the page, so that it stays open when the page is refreshed
 * @param relative such as `2 min ago`
 */
export const time = (id: string, at: string, relative: string): Html =>
  html`<details class="time" id="t-${id.replaceAll(/[^\w-]/g, '_')}">
    <summary title="${formatAbsolute(at)}"><time datetime="${at}">${relative}</time></summary>
    <span class="absolute">${formatAbsolute(at)}</span>
  </details>`

/** The same for a time in the past, or a word if there is none yet. */
export const timeAgo = (id: string, at: string | null, now: string, none = 'never since the start'): Html =>
  at === null ? html`<span class="soft">${none}</span>` : time(id, at, formatAgo(at, now))

/** How long something has lasted, with the time of its beginning. */
export const timeSince = (id: string, since: string, now: string, word = 'for '): Html =>
  time(id, since, `${word}${formatElapsedTime(secondsBetween(since, now))}`)

export const formatSize = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/** `12,345` */
export const formatCount = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')

/** Cuts a text that may be as long as a provider's answer. */
export const cut = (text: string): string =>
  text.length <= MAX_SHOWN_CHARACTERS
    ? text
    : `${text.slice(0, MAX_SHOWN_CHARACTERS).toWellFormed()}… (cut; /status.json and the log have more)`
