/**
 * Refreshes the page in place every few seconds, so that what a reader has opened or focused stays, and says so when the
 * connector no longer answers: a page that stands still must not look well. Without scripts, the browser reloads the page.
 */
export const SCRIPT = `
const REFRESH_MS = 5000
let answeredAt = Date.now()
const refresh = async () => {
  try {
    if (document.hidden || !getSelection().isCollapsed) return
    const answer = await fetch(location.origin + location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(10000) })
    if (!answer.ok) throw new Error('HTTP ' + answer.status)
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
    answeredAt = Date.now()
    const focused = document.activeElement
    const focusedId = focused.id || focused.parentElement.id
    const open = [...document.querySelectorAll('details[open]')].map(({ id }) => id)
    document.querySelector('main').replaceWith(next.querySelector('main'))
    document.querySelector('#facts').replaceWith(next.querySelector('#facts'))
    for (const id of open) document.getElementById(id)?.setAttribute('open', '')
    const again = focusedId && document.getElementById(focusedId)
    if (again && again !== document.activeElement) (again.querySelector('summary') ?? again).focus({ preventScroll: true })
    // A screen reader reads the headline aloud when it changes, and only then.
    const [headline, nextHeadline] = [document.querySelector('#headline'), next.querySelector('#headline')]
    if (headline.textContent !== nextHeadline.textContent) headline.textContent = nextHeadline.textContent
    headline.className = nextHeadline.className
    document.title = next.title
    document.querySelector('#stale').hidden = true
  } catch {
    const stale = document.querySelector('#stale')
    const seconds = Math.round((Date.now() - answeredAt) / 1000)
    stale.textContent = 'The connector has not answered for ' + seconds + ' s. What this page shows is from before.'
    stale.hidden = false
  } finally {
    setTimeout(refresh, REFRESH_MS)
  }
}
setTimeout(refresh, REFRESH_MS)
`
