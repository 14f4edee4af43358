import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached, entryPath, isCached } from './cache.js'
import type { Downloads } from './downloads.js'
import { maven } from './maven.js'

const run = promisify(execFile)

export const KAFKA_VERSION = '4.1.1'
/** The last release before Kafka 4, whose brokers have the transaction protocol from before KIP-890. */
export const OLD_KAFKA_VERSION = '3.9.1'
/** The newest version that runs on Java 17. */
export const APICURIO_VERSION = '3.0.9'

// The last number is raised when the content of the folder changes for the same version.
const kafkaEntry = (version: string): string => `kafka-${version}-1`
const APICURIO_ENTRY = `apicurio-registry-${APICURIO_VERSION}-1`

export function allCached(): boolean {
  return isCached(kafkaEntry(KAFKA_VERSION)) && isCached(APICURIO_ENTRY)
}

export interface KafkaDistribution {
  /** The argument of `java -cp`. */
  readonly classpath: string
  /** A formatted, empty log directory to copy. Formatting takes the start of a JVM; copying is fast. */
  readonly formatted: string
}

/** Apache Kafka from the cache, which is filled if necessary. */
export async function kafkaDistribution(
  java: string,
  downloads: Downloads,
  version = KAFKA_VERSION,
): Promise<KafkaDistribution> {
  const home = await cached(kafkaEntry(version), async (folder) => {
    await writeFile(join(folder, 'pom.xml'), pomOf(version))
    await maven(
      folder,
      [
        'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${join(folder, 'lib')}`,
      ],
      downloads.begin(`Apache Kafka ${version}`, 65e6),
    )
    await format(java, folder)
  })
  return { classpath: join(home, 'lib', '*'), formatted: join(home, 'formatted') }
}

/** Apicurio Registry from the cache, which is filled if necessary. @returns the path of the jar to run */
export async function apicurioJar(downloads: Downloads): Promise<string> {
  await cached(APICURIO_ENTRY, async (folder) => {
    // Newer versions of the plugin read the parent POM, which for 3.0.9 is not on Maven Central.
    await maven(
      folder,
      [
        'org.apache.maven.plugins:maven-dependency-plugin:2.10:copy',
        `-Dartifact=io.apicurio:apicurio-registry-app:${APICURIO_VERSION}:tar.gz:all`,
        `-DoutputDirectory=${folder}`,
      ],
      downloads.begin(`Apicurio Registry ${APICURIO_VERSION}`, 120e6),
    )
    const archive = join(folder, `apicurio-registry-app-${APICURIO_VERSION}-all.tar.gz`)
    await run('tar', ['-xzf', archive, '-C', folder])
    await rm(archive)
  })
  return join(entryPath(APICURIO_ENTRY), `apicurio-registry-app-${APICURIO_VERSION}-runner.jar`)
}

// Without a binding of slf4j the log of the broker is empty. slf4j-simple writes to standard error.
const pomOf = (version: string): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

async function format(java: string, folder: string): Promise<void> {
  const properties = join(folder, 'format.properties')
  // The formatted directory contains cluster id, node id and feature levels, but neither ports nor paths.
  await writeFile(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      'controller.quorum.voters=1@127.0.0.1:9093',
      'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
      'controller.listener.names=CONTROLLER',
      `log.dirs=${join(folder, 'formatted')}`,
    ].join('\n'),
  )
  await run(java, [
    ...['-cp', join(folder, 'lib', '*'), 'kafka.tools.StorageTool', 'format'],
    ...['--cluster-id', 'dlrMoConnectorTrial00A', '--config', properties],
  ])
}
