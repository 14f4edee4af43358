/** The scripts of the release workflow, run as it runs them; what would publish is a stand-in on the PATH that notes it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '..')
const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`

/** A copy of what the scripts read, to be changed by a test. */
let checkout: string
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'dlrmo-release-'))
  for (const path of ['.github/scripts', 'package.json', 'CHANGELOG.md', 'Dockerfile', 'helm']) {
    cpSync(join(ROOT, path), join(checkout, path), { recursive: true })
  }
  mkdirSync(join(checkout, 'bin'))
  setVersion('1.2.3')
})
afterEach(() => rmSync(checkout, { recursive: true }))

const read = (path: string): string => readFileSync(join(checkout, path), 'utf8')
const write = (path: string, text: string, mode = 0o644): void => writeFileSync(join(checkout, path), text, { mode })

const setVersion = (version: string): void => {
  write('package.json', read('package.json').replace(/"version": ".*"/, `"version": "${version}"`))
  write('helm/Chart.yaml', read('helm/Chart.yaml').replace(/^(version|appVersion): .*$/gm, `$1: ${version}`))
  write(
    'CHANGELOG.md',
    `# Changelog\n\n## [Unreleased]\n\n## [${version}] - 2026-12-01\n\n### Added\n\n- This.\n\n## [0.9.0]\n\n- That.\n`,
  )
}

/** Replaces a program by a shell script that can note its arguments in `$NOTES`. */
const standIn = (program: string, script: string): void => write(`bin/${program}`, `#!/bin/sh\n${script}\n`, 0o755)
const notes = (): string[] => read('notes').trimEnd().split('\n')

const run = (script: string, ...args: string[]): { code: number | null; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync(join(checkout, '.github/scripts', script), args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${checkout}/bin:${process.env['PATH']}`, NOTES: join(checkout, 'notes') },
  })
  return { code: status, stdout, stderr }
}

describe('check-version.sh', () => {
  it('prints version and names in lower case if tag, package, chart and changelog agree', () => {
    expect(run('check-version.sh', 'v1.2.3', 'Some-Owner/Repository')).toEqual({
      code: 0,
      stderr: '',
      stdout:
        'version=1.2.3\nprerelease=false\nimage=ghcr.io/some-owner/dlr-mo-connector\ncharts=ghcr.io/some-owner/charts\n',
    })
  })

  it('recognises a prerelease', () => {
    setVersion('1.2.3-rc.1')
    expect(run('check-version.sh', 'v1.2.3-rc.1', 'o/r').stdout).toContain('prerelease=true\n')
  })

  it.each([
    ['another tag', 'v1.2.4', (): void => undefined, /package\.json has version 1\.2\.3/],
    ['a tag without v', '1.2.3', (): void => undefined, /does not begin with v/],
    ['a tag that is no version', 'v1.2', (): void => undefined, /not a semantic version/],
    [
      'another version of the chart',
      'v1.2.3',
      () => replaceInChart('version', '1.2.2'),
      /Chart\.yaml has version 1\.2\.2/,
    ],
    ['another appVersion', 'v1.2.3', () => replaceInChart('appVersion', '1.2.2'), /has appVersion 1\.2\.2/],
    ['no section of the changelog', 'v1.2.3', () => write('CHANGELOG.md', '## [Unreleased]\n'), /no entries below/],
  ])('refuses %s', (_, tag, change, reason) => {
    change()
    const { code, stdout, stderr } = run('check-version.sh', tag, 'o/r')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(reason)
  })

  const replaceInChart = (key: string, value: string): void =>
    write('helm/Chart.yaml', read('helm/Chart.yaml').replace(new RegExp(`^${key}: .*$`, 'm'), `${key}: ${value}`))
})

describe('release-notes.sh', () => {
  it('prints the section of one version, without heading and blank lines around it', () => {
    expect(run('release-notes.sh', '1.2.3').stdout).toBe('### Added\n\n- This.\n')
    expect(run('release-notes.sh', '0.9.0').stdout).toBe('- That.\n')
  })

  it.each(['1.2.4', '1.2', '1x2.3'])('refuses %s, which has no section', (version) => {
    expect(run('release-notes.sh', version)).toMatchObject({ code: 1, stdout: '' })
  })

  it('refuses a section without entries', () => {
    expect(run('release-notes.sh', 'Unreleased')).toMatchObject({ code: 1, stdout: '' })
  })
})

it('set-repository.sh writes the repository that the workflow runs in, and nothing else', () => {
  const before = JSON.parse(read('package.json')) as object
  expect(run('set-repository.sh', 'https://github.com/owner/repository').code).toBe(0)
  expect(JSON.parse(read('package.json'))).toEqual({
    ...before,
    repository: { type: 'git', url: 'git+https://github.com/owner/repository.git' },
    homepage: 'https://github.com/owner/repository#readme',
    bugs: { url: 'https://github.com/owner/repository/issues' },
  })
})

describe('resolve-base-images.sh', () => {
  it('prints the images of the Dockerfile with the digests of their tags', () => {
    standIn('docker', `echo "$*" >>"$NOTES"; echo ${DIGEST}`)
    const { code, stdout } = run('resolve-base-images.sh')
    expect(code).toBe(0)
    expect(stdout).toBe(`NODE_IMAGE=node:24-bookworm-slim@${DIGEST}\nBASE_IMAGE=debian:bookworm-slim@${DIGEST}\n`)
    expect(notes()).toEqual([
      'buildx imagetools inspect --format {{.Manifest.Digest}} node:24-bookworm-slim',
      'buildx imagetools inspect --format {{.Manifest.Digest}} debian:bookworm-slim',
    ])
  })

  it.each([
    ['fails', 'exit 1'],
    ['prints no digest', 'echo latest'],
  ])('prints nothing if a look-up %s', (_, script) => {
    standIn('docker', script)
    expect(run('resolve-base-images.sh')).toMatchObject({ code: 1, stdout: '' })
  })
})

describe('merge-image.sh', () => {
  beforeEach(() => standIn('docker', `echo "$*" >>"$NOTES"; [ "$3" = create ] || echo ${DIGEST}`))

  it('joins all architectures under the tags of the version, and prints the digest of the whole', () => {
    const { code, stdout } = run('merge-image.sh', 'ghcr.io/o/c', '1.2.3', 'sha256:aa', 'sha256:bb')
    expect({ code, stdout }).toEqual({ code: 0, stdout: `digest=${DIGEST}\n` })
    expect(notes()).toEqual([
      'buildx imagetools create --tag ghcr.io/o/c:1.2.3 --tag ghcr.io/o/c:1.2 --tag ghcr.io/o/c:latest' +
        ' ghcr.io/o/c@sha256:aa ghcr.io/o/c@sha256:bb',
      'buildx imagetools inspect --format {{.Manifest.Digest}} ghcr.io/o/c:1.2.3',
    ])
  })

  it('moves no tag that people follow for a prerelease', () => {
    run('merge-image.sh', 'ghcr.io/o/c', '1.2.3-rc.1', 'sha256:aa')
    expect(notes()[0]).toBe('buildx imagetools create --tag ghcr.io/o/c:1.2.3-rc.1 ghcr.io/o/c@sha256:aa')
  })

  it('refuses to tag nothing', () => {
    expect(run('merge-image.sh', 'ghcr.io/o/c', '1.2.3').code).toBe(1)
  })
})

describe('package-chart.sh', () => {
  it('packages a chart that installs the published image and names its sources', () => {
    // Instead of helm: a package is a copy of the folder.
    standIn('helm', 'echo "$*" >>"$NOTES"; [ "$1" = lint ] || cp -r "$2" "$4/package"')
    const { code, stdout } = run('package-chart.sh', 'ghcr.io/o/c', 'https://github.com/o/r', checkout)
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${checkout}/dlr-mo-connector-1.2.3.tgz\n` })
    expect(parse(read('package/values.yaml'))).toMatchObject({ image: { repository: 'ghcr.io/o/c' } })
    expect(parse(read('package/Chart.yaml'))).toMatchObject({ sources: ['https://github.com/o/r'], version: '1.2.3' })
    expect(notes()[0]).toMatch(/^lint --strict /)
  })

  it('refuses values in which the image is not where it was', () => {
    write('helm/values.yaml', read('helm/values.yaml').replace('repository: dlr-mo-connector', 'repository: other'))
    standIn('helm', 'echo "$*" >>"$NOTES"')
    expect(run('package-chart.sh', 'ghcr.io/o/c', 'https://github.com/o/r', checkout).code).toBe(1)
  })
})

describe('push-chart.sh', () => {
  it('prints the digest that the registry gave', () => {
    standIn('helm', `echo "$*" >>"$NOTES"; echo "Pushed: ghcr.io/o/charts/c:1.2.3"; echo "Digest: ${DIGEST}" >&2`)
    const { code, stdout } = run('push-chart.sh', 'c.tgz', 'ghcr.io/o/charts', '--plain-http')
    expect({ code, stdout }).toEqual({ code: 0, stdout: `digest=${DIGEST}\n` })
    expect(notes()).toEqual(['push c.tgz oci://ghcr.io/o/charts --plain-http'])
  })

  it.each([
    ['fails', `echo "Digest: ${DIGEST}"; exit 1`],
    ['prints no digest', 'echo "Pushed"'],
  ])('fails if the push %s', (_, script) => {
    standIn('helm', script)
    expect(run('push-chart.sh', 'c.tgz', 'ghcr.io/o/charts')).toMatchObject({ code: 1, stdout: '' })
  })
})

describe('chart-sbom.mjs', () => {
  const args = ['ghcr.io/o/charts/dlr-mo-connector', 'ghcr.io/o/dlr-mo-connector', DIGEST, '1.2.3']

  it('prints a bill of materials whose component is the image, by digest', () => {
    const bom = JSON.parse(run('chart-sbom.mjs', ...args).stdout) as { serialNumber: string }
    expect(bom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(bom).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      metadata: { component: { name: 'ghcr.io/o/charts/dlr-mo-connector', version: '1.2.3' } },
      components: [
        {
          type: 'container',
          name: 'ghcr.io/o/dlr-mo-connector',
          purl: `pkg:oci/dlr-mo-connector@${DIGEST.replace(':', '%3A')}?repository_url=ghcr.io%2Fo%2Fdlr-mo-connector&tag=1.2.3`,
          hashes: [{ alg: 'SHA-256', content: DIGEST.slice(7) }],
        },
      ],
    })
  })

  it('prints the same for the same release', () => {
    expect(run('chart-sbom.mjs', ...args).stdout).toBe(run('chart-sbom.mjs', ...args).stdout)
  })

  it('refuses what is not a digest', () => {
    expect(run('chart-sbom.mjs', 'a', 'b', 'latest', '1.2.3')).toMatchObject({ code: 1, stdout: '' })
  })
})

describe('publish-npm.sh', () => {
  let tarball: string
  let integrity: string

  const pack = (version: string): void => {
    mkdirSync(join(checkout, 'package'), { recursive: true })
    write('package/package.json', JSON.stringify({ name: 'dlr-mo-connector', version }))
    tarball = join(checkout, 'packed.tgz')
    execFileSync('tar', ['--create', '--gzip', '--file', tarball, '--directory', checkout, 'package'])
    integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
  }
  /** @param published what the registry has under this version */
  const npm = (published: string): void =>
    standIn('npm', `[ "$1" != view ] || { ${published}; exit; }; echo "$*" >>"$NOTES"`)

  it('publishes a version that npm does not have', () => {
    pack('1.2.3')
    npm('exit 1')
    expect(run('publish-npm.sh', tarball, '--provenance').code).toBe(0)
    expect(notes()).toEqual([`publish ${tarball} --access public --tag latest --provenance`])
  })

  it('publishes a prerelease under a tag of its own', () => {
    pack('1.2.3-rc.1')
    npm('exit 1')
    run('publish-npm.sh', tarball)
    expect(notes()).toEqual([`publish ${tarball} --access public --tag next`])
  })

  it('leaves a version alone that npm has with the same content', () => {
    pack('1.2.3')
    npm(`echo ${integrity}`)
    expect(run('publish-npm.sh', tarball).code).toBe(0)
    expect(notes).toThrow(/ENOENT/)
  })

  it('refuses a version that npm has with other content', () => {
    pack('1.2.3')
    npm('echo sha512-other')
    expect(run('publish-npm.sh', tarball).code).toBe(1)
    expect(notes).toThrow(/ENOENT/)
  })
})
