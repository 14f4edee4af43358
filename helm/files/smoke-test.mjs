/**
 * Runs in `helm test`, with the Node.js of the connector's image. Every replica must report that it can take callbacks into
 * custody, and a callback for an unknown source must be refused, so that the test stores nothing.
 *
 * ADMIN_URLS: base addresses, separated by spaces. CALLBACKS_URL: base address; empty skips that part.
 */
const { ADMIN_URLS = '', CALLBACKS_URL = '' } = process.env
let failed = false

for (const url of ADMIN_URLS.split(' ').filter(Boolean)) await expect(`${url}/readyz`, 200)
if (CALLBACKS_URL) await expect(`${CALLBACKS_URL}/callbacks/${crypto.randomUUID()}`, 401)
process.exit(failed ? 1 : 0)

async function expect(url, code) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000), redirect: 'manual' })
    const text = (await response.text()).trim().slice(0, 200)
    report(response.status === code, `${url} answers ${response.status}${text && ` (${text})`}, expected ${code}`)
  } catch (error) {
    report(false, `${url}: ${error.cause?.message ?? error.message}`)
  }
}

function report(holds, text) {
  failed ||= !holds
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${text}`)
}
