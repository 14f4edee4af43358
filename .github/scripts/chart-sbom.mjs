#!/usr/bin/env node
/**
 * Prints the bill of materials of the chart, CycloneDX 1.6. A chart holds no software: its one component is the image that
 * it installs, named by digest, whose own bill of materials is attested to the image.
 *
 *   .github/scripts/chart-sbom.mjs ghcr.io/owner/charts/dlr-mo-connector ghcr.io/owner/dlr-mo-connector sha256:… 0.1.0
 */
import { createHash } from 'node:crypto'

const [chart, image, digest, version] = process.argv.slice(2)
if (!version || !/^sha256:[0-9a-f]{64}$/.test(digest)) {
  console.error('usage: chart-sbom.mjs CHART IMAGE sha256:DIGEST VERSION')
  process.exit(1)
}

/** A package URL of type `oci`: the name is the last part, and the digest is the version. */
const ociUrl = (reference, oci) =>
  `pkg:oci/${reference.slice(reference.lastIndexOf('/') + 1)}${oci.digest ? `@${encodeURIComponent(oci.digest)}` : ''}` +
  `?repository_url=${encodeURIComponent(reference)}&tag=${encodeURIComponent(version)}`

const licenses = [{ license: { id: 'Apache-2.0' } }]
const chartUrl = ociUrl(chart, {})
const imageUrl = ociUrl(image, { digest })

/** The same release gives the same document: its serial number is made from what it names. */
const hash = createHash('sha256').update(`${chartUrl}\n${imageUrl}`).digest('hex')
const serialNumber = [
  hash.slice(0, 8),
  hash.slice(8, 12),
  `8${hash.slice(13, 16)}`,
  `8${hash.slice(17, 20)}`,
  hash.slice(20, 32),
]

const document = {
  $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  serialNumber: `urn:uuid:${serialNumber.join('-')}`,
  version: 1,
  metadata: {
    component: { 'bom-ref': chartUrl, type: 'application', name: chart, version, purl: chartUrl, licenses },
  },
  components: [
    {
      'bom-ref': imageUrl,
      type: 'container',
      name: image,
      version,
      purl: imageUrl,
      hashes: [{ alg: 'SHA-256', content: digest.slice('sha256:'.length) }],
      licenses,
    },
  ],
  dependencies: [{ ref: chartUrl, dependsOn: [imageUrl] }, { ref: imageUrl }],
}
console.log(JSON.stringify(document, null, 2))
