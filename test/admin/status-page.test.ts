/** The status page in a real browser: headless Chromium, on a desktop and on a phone. */
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { anchorOf, renderRunbookPage } from '../../src/admin/page/runbook-page.js'
import { PAGE_HEADERS, renderStatusPage } from '../../src/admin/page/status-page.js'
import { SCENARIOS, StatusScenario } from './support/status-scenarios.js'

const CHROMIUM = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = CHROMIUM.find((path) => path !== undefined && existsSync(path))
// .ci/run installs it, so that its absence is a failure there.
const isSkipped = executablePath === undefined && process.env['CI'] !== 'true'
const title = `The status page in a browser${isSkipped ? ' (skipped: install chromium, or name its path in CHROMIUM)' : ''}`

const AXE = readFileSync(join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'), 'utf8')
const DESKTOP = { width: 1280, height: 900 }
const PHONE = { width: 360, height: 740 }

const runbookAnchors = [
  ...readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8').matchAll(/^#+ +(.+)$/gm),
].map(([, heading = '']) => anchorOf(heading))

describe.skipIf(isSkipped)(title, () => {
  let browser: Browser
  let server: Server
  let origin: string
  let scenario: StatusScenario
  const pages: Page[] = []

  beforeAll(async () => {
    browser = await chromium.launch({ ...(executablePath && { executablePath }), args: ['--no-sandbox'] })
    server = createServer((req, res) => {
      res.writeHead(200, PAGE_HEADERS)
      if (req.url === '/runbook') return res.end(renderRunbookPage())
      const { report, history } = scenario.report()
      res.end(renderStatusPage(report, history))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }, 60_000)

  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()))
  })

  afterAll(async () => {
    await browser?.close()
    server?.closeAllConnections()
    await new Promise((resolve) => server?.close(resolve))
  })

  interface View {
    readonly colorScheme?: 'light' | 'dark'
    readonly javaScriptEnabled?: boolean
    readonly hasManualClock?: boolean
    readonly path?: string
  }

  /** Opens a page. What it requests and what it complains of is collected. */
  const open = async (viewport: { width: number; height: number }, view: View = {}) => {
    const { colorScheme = 'light', javaScriptEnabled = true, hasManualClock = false, path = '/' } = view
    // bypassCSP lets the test run axe in the page; the policy has a test of its own.
    const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled, bypassCSP: path !== '/csp' })
    const page = await context.newPage()
    pages.push(page)
    const requests: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    if (hasManualClock) await page.clock.install()
    await page.goto(origin + path)
    return { page, requests, complaints }
  }

  const violationsIn = async (page: Page): Promise<string[]> => {
    await page.evaluate(AXE)
    const found = await page.evaluate(
      `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`,
    )
    return found as string[]
  }

  const views = Object.keys(SCENARIOS).flatMap((name) => [
    { name, device: 'a desktop', viewport: DESKTOP, colorScheme: 'light' as const },
    { name, device: 'a phone', viewport: PHONE, colorScheme: 'dark' as const },
  ])

  it.each(views)(
    'on $device while $name fits the screen, has its reason on the first screen, and is accessible',
    async ({ name, viewport, colorScheme }) => {
      scenario = await SCENARIOS[name]!()
      const { page, requests, complaints } = await open(viewport, { colorScheme })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(viewport.width)
      const headline = (await page.locator('#headline').boundingBox())!
      expect(headline.y + headline.height).toBeLessThan(viewport.height / 3)
      const { problems } = scenario.report().report
      const reasons = page.locator('.problem .reason')
      expect(await reasons.count()).toBe(problems.length)
      if (problems.length > 0) {
        const reason = (await reasons.first().boundingBox())!
        expect(reason.y + reason.height).toBeLessThan(viewport.height)
      }
      expect(await violationsIn(page)).toEqual([])
      expect(requests).toEqual([`${origin}/`])
      expect(complaints).toEqual([])
    },
  )

  it('runs its script and uses its style under its content security policy', async () => {
    scenario = await SCENARIOS['all is well']!()
    const { page, complaints } = await open(DESKTOP, { path: '/csp', hasManualClock: true })
    expect(await page.evaluate('getComputedStyle(document.querySelector(".card")).borderTopWidth')).toBe('1px')
    scenario.status.setPublishing('waiting', 'no broker answers')
    await page.clock.runFor(5_000)
    await page.locator('.problem').waitFor()
    expect(await page.locator('#headline').textContent()).toContain('Nothing is published')
    expect(complaints).toEqual([])
  })

  it('shows the absolute time of each relative one to the keyboard', async () => {
    scenario = await SCENARIOS['all is well']!()
    const { page } = await open(PHONE)
    const focused = 'document.activeElement.closest("details.time")?.id'
    const reached = new Set<unknown>()
    const times = await page.locator('details.time').count()
    for (let presses = 0; presses < times + 10; presses++) {
      await page.keyboard.press('Tab')
      const id: string | undefined = await page.evaluate(focused)
      if (id === undefined || reached.has(id)) continue
      reached.add(id)
      await page.keyboard.press('Enter')
      const absolute = page.locator(`#${id} .absolute`)
      expect(await absolute.isVisible()).toBe(true)
      expect(await absolute.textContent()).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
    }
    expect(times).toBeGreaterThan(5)
    expect(reached.size).toBe(times)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE.width)
  })

  it('refreshes itself and keeps what the reader has opened and focused', async () => {
    scenario = await SCENARIOS['all is well']!()
    const { page } = await open(DESKTOP, { hasManualClock: true })
    const summary = page.locator('#t-seven-main-accepted summary')
    await summary.focus()
    await page.keyboard.press('Enter')
    await scenario.clock.advance(3_600_000)
    scenario.status.setPublishing('waiting', 'no broker answers')
    await page.clock.runFor(5_000)
    await page.locator('.problem').waitFor()
    expect(await page.locator('#t-seven-main-accepted[open] .absolute').isVisible()).toBe(true)
    expect(await page.evaluate('document.activeElement.parentElement.id')).toBe('t-seven-main-accepted')
    expect(await summary.textContent()).toMatch(/^1 h/)
  })

  it('says that the connector does not answer any more', async () => {
    scenario = await SCENARIOS['all is well']!()
    const { page } = await open(DESKTOP, { hasManualClock: true })
    expect(await page.locator('#stale').isVisible()).toBe(false)
    await page.route('**/*', (route) => route.abort())
    await page.clock.runFor(5_000)
    await page.locator('#stale').waitFor()
    expect(await page.locator('#stale').textContent()).toMatch(/The connector has not answered for \d+ s/)
  })

  it('shows everything without scripts, and is reloaded by the browser', async () => {
    scenario = await SCENARIOS['the disk is full']!()
    const { page } = await open(PHONE, { javaScriptEnabled: false })
    expect(await page.locator('#headline').textContent()).toContain('Callbacks are refused with 503')
    expect(await page.locator('meta[http-equiv=refresh]').count()).toBe(1)
  })

  it('links each problem to its entry in the runbook, which is served and accessible', async () => {
    for (const make of Object.values(SCENARIOS)) {
      scenario = await make()
      const { report, history } = scenario.report()
      const links = [...renderStatusPage(report, history).matchAll(/href="runbook#([^"]+)"/g)].map(
        ([, anchor]) => anchor,
      )
      expect(links.filter((anchor) => !runbookAnchors.includes(anchor ?? ''))).toEqual([])
    }
    const { page } = await open(PHONE, { path: '/runbook' })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE.width)
    expect(await page.locator('h3#dead-letter-missing-text').count()).toBe(1)
    const dead = await page.evaluate(
      `[...document.querySelectorAll('a[href^="#"]')].map((link) => link.hash.slice(1)).filter((id) => !document.getElementById(id))`,
    )
    expect(dead).toEqual([])
    expect(await violationsIn(page)).toEqual([])
  }, 60_000)
})
