/** The chart as an artefact of an OCI registry: packaged, pushed and installed as the release workflow and its users do. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { parse } from 'yaml'
import { startOciRegistry } from '../../dev/chart/oci-registry.js'
import type { OciRegistry } from '../../dev/chart/oci-registry.js'
import { TestCluster } from './support/cluster.js'
import { CHART, FULLNAME, RELEASE, scenarioFile } from './support/helm.js'

const run = promisify(execFile)
const SCRIPTS = join(CHART, '..', '.github', 'scripts')
const IMAGE = 'ghcr.io/some-owner/dlr-mo-connector'

describe('The chart in an OCI registry', () => {
  let folder: string
  let cluster: TestCluster
  let registry: OciRegistry
  let chart: string
  let digest: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dlrmo-oci-'))
    await mkdir(join(folder, 'bin'))
    await symlink(inject('chartTools').helm, join(folder, 'bin', 'helm'))
    registry = await startOciRegistry(inject('chartTools'))
    cluster = await TestCluster.start()

    const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` }
    const script = async (name: string, ...args: string[]): Promise<string> =>
      (await run(join(SCRIPTS, name), args, { env })).stdout.trim()
    const packed = await script('package-chart.sh', IMAGE, 'https://github.com/some-owner/repository', folder)
    const pushed = await script('push-chart.sh', packed, `${registry.address}/charts`, '--plain-http')
    chart = `oci://${registry.address}/charts/dlr-mo-connector`
    digest = pushed.replace('digest=', '')
  })

  afterAll(async () => {
    await cluster.stop()
    await registry.stop()
    await rm(folder, { recursive: true })
  })

  it('has the digest that the script of the release workflow prints', async () => {
    const manifest = await fetch(`http://${registry.address}/v2/charts/dlr-mo-connector/manifests/0.1.0`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    })
    expect(manifest.headers.get('docker-content-digest')).toBe(digest)
    expect(await manifest.json()).toMatchObject({
      config: { mediaType: 'application/vnd.cncf.helm.config.v1+json' },
      layers: [{ mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip' }],
    })
  })

  it('shows its values and where its sources are', async () => {
    const show = (what: string): Promise<string> => cluster.must('helm', ['show', what, chart, '--plain-http'])
    expect(parse(await show('values'))).toMatchObject({ image: { repository: IMAGE } })
    expect(parse(await show('chart'))).toMatchObject({ sources: ['https://github.com/some-owner/repository'] })
  })

  it('is installed by version, upgraded by digest, and uninstalled without a rest', async () => {
    const before = await cluster.names()
    const values = ['--plain-http', '--values', scenarioFile('default')]
    const installed = await cluster.must('helm', ['install', RELEASE, chart, '--version', '0.1.0', ...values])
    expect(installed).toMatch(/STATUS: deployed/)
    const { spec } = await cluster.get('StatefulSet', FULLNAME)
    expect(spec.template.spec.containers[0].image).toBe(`${IMAGE}:0.1.0`)

    await cluster.must('helm', ['upgrade', RELEASE, `${chart}@${digest}`, ...values])
    expect((await cluster.get('StatefulSet', FULLNAME)).spec).toEqual(spec)

    await cluster.must('helm', ['uninstall', RELEASE])
    expect(await cluster.names()).toEqual(before)
  })

  it('is not installed in a version that was never pushed', async () => {
    const args = ['install', RELEASE, chart, '--version', '0.0.9', '--plain-http']
    expect(await cluster.command('helm', args)).toMatchObject({ ok: false })
  })
})
