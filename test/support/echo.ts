/** Repeats what a request has sent, in every form that an error text may repeat it in. */
import type { IncomingMessage } from 'node:http'

/** Everything of a request that may hold a credential: its path, its header fields and its body. */
export const sentTexts = (request: IncomingMessage, body: string): string[] => {
  const fields = Object.values(request.headers).flat() as string[]
  const words = fields.flatMap((value) => [value, ...value.split(' ')])
  const form = [...new URLSearchParams(body).values(), ...new URL(request.url ?? '/', 'http://x').searchParams.values()]
  const credentials = words
    .filter((word) => /^[A-Za-z0-9+/=_-]{12,}$/.test(word))
    .map((word) => Buffer.from(word, 'base64').toString('utf8'))
    .flatMap((pair) => pair.split(':'))
  return [...words, ...form, ...credentials].filter((text) => text.length >= 8)
}

/** The forms that a secret is searched in. They are written here independently of the code that hides them. */
export const formsOf = (secret: string): string[] => {
  const bytes = Buffer.from(secret)
  // The characters of a Base64 text that do not depend on what stands before and behind the secret.
  const inBase64 = [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes, Buffer.alloc(3)]).toString('base64')
    return whole.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3))
  })
  const forms = [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    new URLSearchParams({ x: secret }).toString().slice(2),
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    bytes.toString('hex'),
    bytes.toString('hex').replace(/../g, '%$&'),
    ...inBase64,
    ...inBase64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ]
  return [...new Set(forms)]
}

/** An error text that repeats everything in every form. */
export const echo = (request: IncomingMessage, body: string): string =>
  [...new Set(sentTexts(request, body).flatMap(formsOf))].join(' | ')
