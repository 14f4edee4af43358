/**
 * `npm run screenshot` takes the picture of the status page that the README shows: a state of the page's own tests, in headless
 * Chromium. Nothing of it comes from a running connector. CHROMIUM names the browser if it is not at a usual path.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { renderStatusPage } from '../../../src/admin/page/status-page.js'
import { SCENARIOS } from './status-scenarios.js'

const SCENARIO = 'Kafka is away and the journal fills'
const VIEWPORT = { width: 1120, height: 860 }
const FILE = new URL('../../../docs/status-page.png', import.meta.url)

const CHROMIUM = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = CHROMIUM.find((path) => path !== undefined && existsSync(path))
const { report, history } = (await SCENARIOS[SCENARIO]!()).report()
const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: ['--no-sandbox'] })
try {
  const page = await browser.newPage({ viewport: VIEWPORT, colorScheme: 'light' })
  await page.setContent(renderStatusPage(report, history))
  const picture = await page.screenshot()
  writeFileSync(FILE, picture)
  process.stdout.write(`docs/status-page.png: ${picture.length} bytes, state "${SCENARIO}"\n`)
} finally {
  await browser.close()
}
