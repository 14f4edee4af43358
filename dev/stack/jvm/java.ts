import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Kafka 4 and Apicurio Registry 3.0 need this version. */
const OLDEST_JAVA = 17

export interface Java {
  /** The command: an absolute path in JAVA_HOME, or `java`. */
  readonly command: string
  readonly major: number
}

/** The Java in JAVA_HOME or in the PATH, the first that is new enough; or a phrase with the reason why there is none. */
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
  return { missing: tooOld === undefined ? 'no Java was found' : `only Java ${tooOld} was found` }
}

/** Whether `mvn` can be run. */
export async function isMavenAvailable(): Promise<boolean> {
  return run('mvn', ['--version'], { timeout: 30_000 }).then(
    () => true,
    () => false,
  )
}

/** 17 for `openjdk version "17.0.15"`, 8 for `java version "1.8.0_402"`; undefined if the command cannot be run. */
async function majorVersion(command: string): Promise<number | undefined> {
  try {
    const { stdout, stderr } = await run(command, ['-version'], { timeout: 30_000 })
    const found = /version "(?:1\.)?(\d+)/.exec(stderr + stdout)
    return found?.[1] === undefined ? undefined : Number(found[1])
  } catch {
    return undefined
  }
}
