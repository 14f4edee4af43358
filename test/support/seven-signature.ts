/** Signs requests as seven does, by its documents: https://docs.seven.io/en/rest-api/signing. */
import { createHash, createHmac } from 'node:crypto'

interface RequestToSign {
  readonly timestamp: string
  readonly nonce: string
  readonly method: string
  /** Complete, from the scheme to the query. */
  readonly url: string
  readonly body: Uint8Array
}

export const sign = (key: string, { timestamp, nonce, method, url, body }: RequestToSign): Buffer => {
  const hash = createHash('md5').update(body).digest('hex')
  return createHmac('sha256', key).update([timestamp, nonce, method, url, hash].join('\n')).digest()
}
