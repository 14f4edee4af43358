import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Kafka 4 and Apicurio Registry 3.0 ask for it. */
const OLDEST_JAVA = 17

export interface Java {
  /** What to execute: an absolute path from JAVA_HOME, or `java` from the PATH. */
  readonly command: string
  readonly major: number
}

/** JAVA_HOME's Java, else the PATH's, the first that is new enough; or a phrase saying why there is none. */
export async function findJava(): Promise<Java | { missing: string }> {
  const home = process.env['JAVA_HOME']
  const candidates = [...(home ? [join(home, 'bin', 'java')] : []), 'java']
  let tooOld: number | undefined
  for (const command of candidates) {
    const major = await majorVersion(command)
    if (major === undefined) continue
    if (major >= OLDEST_JAVA) return { command, major }
    tooOld ??= major
  }
  return { missing: tooOld === undefined ? 'no Java found' : `only Java ${tooOld} found` }
}

/** Whether `mvn` can be run. */
export async function mavenIsThere(): Promise<boolean> {
  return run('mvn', ['--version'], { timeout: 30_000 }).then(
    () => true,
    () => false,
  )
}

/** `17` for `openjdk version "17.0.15"`, `8` for `java version "1.8.0_402"`; undefined when it can't be run. */
async function majorVersion(command: string): Promise<number | undefined> {
  try {
    const { stdout, stderr } = await run(command, ['-version'], { timeout: 30_000 })
    const found = /version "(?:1\.)?(\d+)/.exec(stderr + stdout)
    return found?.[1] === undefined ? undefined : Number(found[1])
  } catch {
    return undefined
  }
}
