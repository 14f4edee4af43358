/** Apache Camel and Kafka Connect: fetched from Maven Central into the cache on first use, and compiled with our sources. */
import { execFile } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Progress } from '../../dev/progress.js'
import { cached, isCached } from '../../dev/stack/jvm/cache.js'
import { KAFKA_VERSION } from '../../dev/stack/jvm/distributions.js'
import { Downloads } from '../../dev/stack/jvm/downloads.js'
import { findJava, isMavenAvailable } from '../../dev/stack/jvm/java.js'
import { maven } from '../../dev/stack/jvm/maven.js'

const run = promisify(execFile)

export const CAMEL_VERSION = '4.18.0'
const AVRO_VERSION = '1.12.1'
/** Eclipse's compiler, because a Java runtime without a compiler is enough for everything else in this repository. */
const COMPILER = 'org.eclipse.jdt:ecj:3.37.0'

const JAVA_FOLDER = fileURLToPath(new URL('java', import.meta.url))

interface PeerPlan {
  /** For people. */
  readonly name: string
  /** The name in the cache. The last number is raised when the content changes for the same version. */
  readonly entry: string
  readonly artifacts: readonly string[]
  readonly sources: readonly string[]
  readonly expectedBytes: number
}

export const CAMEL: PeerPlan = {
  name: `Apache Camel ${CAMEL_VERSION}`,
  entry: `bench-camel-${CAMEL_VERSION}-1`,
  artifacts: [
    ...['camel-main', 'camel-kafka', 'camel-platform-http-main'].map(
      (name) => `org.apache.camel:${name}:${CAMEL_VERSION}`,
    ),
    `org.apache.avro:avro:${AVRO_VERSION}`,
    'org.slf4j:slf4j-simple:2.0.17',
    COMPILER,
  ],
  sources: ['EventRecords.java', 'CamelPeer.java'],
  expectedBytes: 45e6,
}

export const CONNECT: PeerPlan = {
  name: `Kafka Connect ${KAFKA_VERSION}`,
  entry: `bench-connect-${KAFKA_VERSION}-1`,
  artifacts: [
    `org.apache.kafka:connect-runtime:${KAFKA_VERSION}`,
    `org.apache.avro:avro:${AVRO_VERSION}`,
    'org.slf4j:slf4j-simple:1.7.36',
    COMPILER,
  ],
  sources: ['EventRecords.java', 'PullConnector.java', 'PullTask.java'],
  expectedBytes: 45e6,
}

export interface Peer {
  /** The Java command. */
  readonly java: string
  /** The argument of `java -cp`. */
  readonly classpath: string
}

/**
 * The peer, ready to be started; or a phrase with the reason why it can't be.
 * @param folder an existing folder for the compiled classes
 * @throws StackError when the download fails; Error when the compiler refuses the sources
 */
export async function preparePeer(
  plan: PeerPlan,
  folder: string,
  progress: Progress,
): Promise<Peer | { missing: string }> {
  const java = await findJava()
  if ('missing' in java) return java
  if (!isCached(plan.entry) && !(await isMavenAvailable())) return { missing: 'Maven was not found' }
  const downloads = new Downloads(progress)
  const home = await cached(plan.entry, (entry) => download(plan, entry, downloads)).finally(() => downloads.end())
  const jars = (await readdir(join(home, 'lib'))).map((jar) => join(home, 'lib', jar))
  const compiler = jars.find((jar) => jar.includes('/ecj-'))!
  await run(java.command, [
    ...['-jar', compiler, '-17', '-nowarn', '-d', folder, '-cp', jars.join(':')],
    ...plan.sources.map((source) => join(JAVA_FOLDER, source)),
  ])
  return { java: java.command, classpath: [folder, join(home, 'lib', '*')].join(':') }
}

async function download(plan: PeerPlan, entry: string, downloads: Downloads): Promise<void> {
  await writeFile(join(entry, 'pom.xml'), pomOf(plan.artifacts))
  await maven(
    entry,
    [
      'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${join(entry, 'lib')}`,
    ],
    downloads.begin(plan.name, plan.expectedBytes),
  )
}

function pomOf(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `    <dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0">',
    '  <modelVersion>4.0.0</modelVersion>',
    '  <groupId>local</groupId><artifactId>peer</artifactId><version>1</version>',
    ...['  <dependencies>', ...dependencies, '  </dependencies>'],
    '</project>',
    '',
  ].join('\n')
}
