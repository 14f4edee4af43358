/**
 * What `npm run demo`, `npm test` and their like do first, on a fresh clone as well: checks Node, installs what is
 * missing, builds what is stale, and then runs what was asked.
 *
 * Plain JavaScript without dependencies, because it runs before there are any.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clearInterval, setInterval } from 'node:timers'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const at = (...parts) => join(root, ...parts)
const OLDEST_NODE = [20, 19]

/** What each word runs, as arguments of Node: a wrapper process in between would be one more to pass signals through. */
const TASKS = {
  demo: { command: ['--import', 'tsx', at('dev', 'demo', 'main.ts')], needsBuild: true },
  test: { command: [at('node_modules', 'vitest', 'vitest.mjs'), 'run'], needsBuild: true },
  // A million items and what was found of them, side by side.
  'test:faults': {
    command: ['--max-old-space-size=8192', '--import', 'tsx', at('dev', 'faults', 'main.ts')],
    needsBuild: true,
  },
  bench: { command: ['--import', 'tsx', at('bench', 'bench.ts')], needsBuild: true },
  stack: { command: ['--import', 'tsx', at('dev', 'stack', 'main.ts')], needsBuild: false },
  simulate: { command: ['--import', 'tsx', at('dev', 'simulators', 'main.ts')], needsBuild: false },
}

const [task, ...args] = process.argv.slice(2)
if (!(task in TASKS)) fail(`usage: node dev/bootstrap.mjs ${Object.keys(TASKS).join('|')} [arguments]`, 2)
checkNode()
await install()
if (TASKS[task].needsBuild) await build()
process.exitCode = await run(process.execPath, [...TASKS[task].command, ...args])

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return
  fail(`This needs Node ${OLDEST_NODE.join('.')} or later; ${process.execPath} is ${process.versions.node}.`, 1)
}

/** The stamp holds the lock file's hash: times mean nothing after a checkout. Without one, what npm wrote is compared. */
async function install() {
  const lock = readFileSync(at('package-lock.json'))
  const hash = createHash('sha256').update(lock).digest('hex')
  const stamp = at('node_modules', '.dlrmo-installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  if (!installedMatches(JSON.parse(lock.toString()))) {
    say('Installing dependencies (npm ci) ...')
    const stopShowing = showInstalled(Object.keys(JSON.parse(lock.toString()).packages))
    const code = await run('npm', ['ci', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'])
    stopShowing()
    if (code !== 0) fail(`npm ci failed with code ${code}`, code)
  }
  writeFileSync(stamp, hash)
}

/** Shows how many of the packages have been unpacked; npm itself is silent for minutes without a terminal. */
function showInstalled(packages) {
  const startedAt = Date.now()
  const tty = process.stderr.isTTY
  const timer = setInterval(
    () => {
      const count = packages.filter((path) => path !== '' && existsSync(at(path, 'package.json'))).length
      const text = `  ${count} of about ${packages.length} packages, ${Math.round((Date.now() - startedAt) / 1_000)} s`
      process.stderr.write(tty ? `\r\x1b[K${text}` : `${text}\n`)
    },
    tty ? 500 : 5_000,
  )
  return () => {
    clearInterval(timer)
    if (tty) process.stderr.write('\r\x1b[K')
  }
}

/** Whether node_modules holds what the lock file says; optional packages of other platforms may be missing. */
function installedMatches(lock) {
  const hidden = at('node_modules', '.package-lock.json')
  if (!existsSync(hidden)) return false
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages
  return Object.entries(lock.packages).every(([path, entry]) => {
    if (path === '') return true
    return installed[path] ? installed[path].version === entry.version : entry.optional === true || entry.peer === true
  })
}

/** Builds when a source is newer than the built program; so a build by hand, or by CI, is one too. */
async function build() {
  const program = at('dist', 'main.js')
  const inputs = [at('package.json'), at('tsconfig.json'), at('tsconfig.build.json'), ...filesBelow(at('src'))]
  const newest = Math.max(...inputs.filter((path) => existsSync(path)).map((path) => statSync(path).mtimeMs))
  if (existsSync(program) && statSync(program).mtimeMs >= newest) return
  say('Building (npm run build) ...')
  const startedAt = new Date()
  const code = await run('npm', ['run', '--silent', 'build'])
  if (code !== 0) {
    // The compiler writes what it complains about as well; the next start must not take that for built.
    rmSync(program, { force: true })
    fail(`the build failed with code ${code}`, code)
  }
  // A source that was edited while the build ran is newer than this.
  utimesSync(program, startedAt, startedAt)
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}

/**
 * Runs a command with our terminal and waits for its end; resolves with its exit code. SIGTERM is passed on to it; a
 * Ctrl-C it has got itself, being in the terminal's group, and we must only not leave before it does.
 */
function run(command, commandArgs) {
  return new Promise((resolve) => {
    const child = spawn(command, commandArgs, { cwd: root, stdio: 'inherit' })
    const passOn = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    process.on('SIGINT', passOn).on('SIGTERM', passOn)
    // npm gives a SIGTERM to the shell between it and us, which dies of it and tells nobody.
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.env.npm_lifecycle_event !== undefined && process.ppid !== parent) child.kill('SIGTERM')
    }, 1_000)
    const end = (code) => {
      clearInterval(watch)
      process.off('SIGINT', passOn).off('SIGTERM', passOn)
      resolve(code)
    }
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`)
      end(127)
    })
    child.on('exit', (code, signal) => end(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}

function say(text) {
  console.error(text)
}

function fail(text, code) {
  console.error(text)
  process.exit(code)
}
