import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { renderOne } from './support/helm.js'

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('Image and chart', () => {
  it('agree on user, ports, and paths of configuration and journal', async () => {
    const dockerfile = await read('Dockerfile')
    const capture = (pattern: RegExp): string[] => pattern.exec(dockerfile)?.slice(1) ?? []
    const { securityContext, containers } = (await renderOne('StatefulSet')).spec.template.spec
    const [connector] = containers

    const [user, group] = capture(/^USER (\d+):(\d+)$/m)
    expect(securityContext).toMatchObject({ runAsUser: Number(user), runAsGroup: Number(group) })
    const ports = capture(/^EXPOSE (\d+) (\d+)$/m).map((port) => ({ containerPort: Number(port) }))
    expect(connector.ports).toMatchObject(ports)
    const [volume] = capture(/^VOLUME (\S+)$/m)
    expect(connector.volumeMounts).toContainEqual({ name: 'journal', mountPath: volume })
    const [config] = capture(/CONNECTOR_CONFIG=(\S+)/)
    expect(connector.env).toContainEqual({ name: 'CONNECTOR_CONFIG', value: config })
  })

  it('need only files that .dockerignore admits', async () => {
    const copied = [...(await read('Dockerfile')).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    )
    const admitted = (await read('.dockerignore')).split('\n').flatMap((line) => /^!(.+)$/.exec(line)?.[1] ?? [])
    expect([...new Set(copied)].sort()).toEqual(admitted.sort())
  })
})
