import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'

export interface Answer {
  /** 0 if no answer arrived. */
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
  /** Whether the whole announced body arrived. */
  complete: boolean
}

export interface PostOptions {
  headers?: Record<string, string>
  /** Closes the connection after this number of bytes of the body. */
  giveUpAfterBytes?: number
}

/** Sends a GET or POST on a connection of its own. Resolves with what arrived, also if the answer is incomplete. */
export function post(url: string, body: string | undefined, options: PostOptions = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let status = 0
    let headers: IncomingHttpHeaders = {}
    const end = (complete: boolean): void => {
      const whole = Buffer.concat(chunks)
      resolve({ status, headers, body: whole, text: whole.toString('utf8'), complete })
    }
    const method = body === undefined ? 'GET' : 'POST'
    const sent = request(url, { method, headers: options.headers ?? {}, agent: false }, (response) => {
      status = response.statusCode ?? 0
      headers = response.headers
      let length = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length >= (options.giveUpAfterBytes ?? Infinity)) sent.destroy()
      })
      response.on('error', () => undefined)
      response.on('close', () => end(response.complete))
    })
    sent.on('error', () => end(false))
    sent.end(body)
  })
}

export function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return post(url, undefined, { headers })
}
