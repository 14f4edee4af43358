/**
 * What `helm test` runs, with the Node of the connector's image: every replica says that it takes callbacks into
 * custody, and a callback for a source that doesn't exist is turned away, so nothing is stored by the test.
 *
 * ADMIN_URLS: base addresses, separated by blanks. CALLBACKS_URL: base address, or empty to leave that part out.
 */
const { ADMIN_URLS = '', CALLBACKS_URL = '' } = process.env
let failed = false

for (const url of ADMIN_URLS.split(' ').filter(Boolean)) await expect(`${url}/readyz`, 200)
if (CALLBACKS_URL) await expect(`${CALLBACKS_URL}/callbacks/${crypto.randomUUID()}`, 401)
process.exit(failed ? 1 : 0)

async function expect(url, code) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000), redirect: 'manual' })
    const text = (await answer.text()).trim().slice(0, 200)
    report(answer.status === code, `${url} answers ${answer.status}${text && ` (${text})`}, expected ${code}`)
  } catch (error) {
    report(false, `${url}: ${error.cause?.message ?? error.message}`)
  }
}

function report(holds, text) {
  failed ||= !holds
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${text}`)
}
