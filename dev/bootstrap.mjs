/**
 * The first step of `npm run demo`, `npm test` and similar scripts, also on a fresh clone: checks the version of Node.js,
 * installs missing dependencies, builds the connector if a source has changed, and then runs the task.
 *
 * This file is plain JavaScript without dependencies, because it runs before any are installed.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clearInterval, setInterval } from 'node:timers'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pathOf = (...parts) => join(root, ...parts)
const OLDEST_NODE = [20, 19]

/** The arguments of Node.js for each task. A wrapper such as npx would be one more process that must forward signals. */
const TASKS = {
  demo: { command: ['--import', 'tsx', pathOf('dev', 'demo', 'main.ts')], needsBuild: true },
  test: { command: [pathOf('node_modules', 'vitest', 'vitest.mjs'), 'run'], needsBuild: true },
  'test:consumers': {
    command: [pathOf('node_modules', 'vitest', 'vitest.mjs'), 'run', '--config', pathOf('vitest.consumers.config.ts')],
    needsBuild: true,
  },
  // The oracle keeps up to a million items and their records in memory.
  'test:faults': {
    command: ['--max-old-space-size=8192', '--import', 'tsx', pathOf('dev', 'faults', 'main.ts')],
    needsBuild: true,
  },
  bench: { command: ['--import', 'tsx', pathOf('bench', 'main.ts')], needsBuild: true },
  'bench:smoke': { command: ['--import', 'tsx', pathOf('bench', 'smoke.ts')], needsBuild: true },
  'bench:growth': { command: ['--import', 'tsx', pathOf('bench', 'growth', 'main.ts')], needsBuild: true },
  exposure: { command: ['--import', 'tsx', pathOf('dev', 'exposure', 'main.ts')], needsBuild: false },
  stack: { command: ['--import', 'tsx', pathOf('dev', 'stack', 'main.ts')], needsBuild: false },
  simulate: { command: ['--import', 'tsx', pathOf('dev', 'simulators', 'main.ts')], needsBuild: false },
}

const [task, ...args] = process.argv.slice(2)
if (!(task in TASKS)) fail(`Usage: node dev/bootstrap.mjs ${Object.keys(TASKS).join('|')} [arguments]`, 2)
checkNode()
await install()
if (TASKS[task].needsBuild) await build()
process.exitCode = await run(process.execPath, [...TASKS[task].command, ...args])

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return
  fail(`This needs Node ${OLDEST_NODE.join('.')} or later; ${process.execPath} is ${process.versions.node}.`, 1)
}

/**
 * Installs the dependencies unless the stamp file contains the hash of the lock file. Modification times would mean
 * nothing after a checkout. Without a stamp file the versions that npm has installed are compared.
 */
async function install() {
  const lock = readFileSync(pathOf('package-lock.json'))
  const hash = createHash('sha256').update(lock).digest('hex')
  const stamp = pathOf('node_modules', '.dlrmo-installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  if (!matchesInstalled(JSON.parse(lock.toString()))) {
    console.error('Installing dependencies (npm ci) ...')
    const stopShowing = showInstalledPackages(Object.keys(JSON.parse(lock.toString()).packages))
    const code = await run('npm', ['ci', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'])
    stopShowing()
    if (code !== 0) fail(`npm ci failed with code ${code}.`, code)
  }
  writeFileSync(stamp, hash)
}

/** Shows how many packages are unpacked, because npm is silent for minutes without a terminal. */
function showInstalledPackages(packages) {
  const startedAt = Date.now()
  const tty = process.stderr.isTTY
  const timer = setInterval(
    () => {
      const count = packages.filter((path) => path !== '' && existsSync(pathOf(path, 'package.json'))).length
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

/** Whether node_modules contains the packages of the lock file. Optional packages of other platforms may be missing. */
function matchesInstalled(lock) {
  const hidden = pathOf('node_modules', '.package-lock.json')
  if (!existsSync(hidden)) return false
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages
  return Object.entries(lock.packages).every(([path, entry]) => {
    if (path === '') return true
    return installed[path] ? installed[path].version === entry.version : entry.optional === true || entry.peer === true
  })
}

/** Builds the connector if a source is newer than the built program, so that a build by hand or by CI counts too. */
async function build() {
  const program = pathOf('dist', 'main.js')
  const inputs = [
    pathOf('package.json'),
    pathOf('tsconfig.json'),
    pathOf('tsconfig.build.json'),
    ...filesBelow(pathOf('src')),
  ]
  const newest = Math.max(...inputs.filter((path) => existsSync(path)).map((path) => statSync(path).mtimeMs))
  if (existsSync(program) && statSync(program).mtimeMs >= newest) return
  console.error('Building (npm run build) ...')
  const startedAt = new Date()
  const code = await run('npm', ['run', '--silent', 'build'])
  if (code !== 0) {
    // The compiler writes its output even after errors, and the next start must not use it.
    rmSync(program, { force: true })
    fail(`The build failed with code ${code}.`, code)
  }
  // A source that was edited during the build must be newer than the program.
  utimesSync(program, startedAt, startedAt)
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}

/**
 * Runs a command in this terminal, and resolves with its exit code. SIGTERM is forwarded to it. A Ctrl-C reaches it
 * directly, because it belongs to the process group of the terminal; this process must only not end before it.
 */
function run(command, commandArgs) {
  return new Promise((resolve) => {
    const child = spawn(command, commandArgs, { cwd: root, stdio: 'inherit' })
    const forward = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    process.on('SIGINT', forward).on('SIGTERM', forward)
    // npm sends SIGTERM to the shell between npm and this process. The shell ends and does not forward the signal.
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.env.npm_lifecycle_event !== undefined && process.ppid !== parent) child.kill('SIGTERM')
    }, 1_000)
    const end = (code) => {
      clearInterval(watch)
      process.off('SIGINT', forward).off('SIGTERM', forward)
      resolve(code)
    }
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`)
      end(127)
    })
    child.on('exit', (code, signal) => end(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}

function fail(text, code) {
  console.error(text)
  process.exit(code)
}
