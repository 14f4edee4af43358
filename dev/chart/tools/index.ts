import { join } from 'node:path'
import type { Progress } from '../../progress.js'
import { customResourceDefinitions } from './custom-resources.js'
import { goTools } from './go.js'
import { kubernetesSchemas } from './schemas.js'

/** The paths of the tools that test the chart. */
export interface ChartTools {
  readonly helm: string
  readonly kubeconform: string
  readonly kubectl: string
  readonly kubeApiserver: string
  readonly etcd: string
  /** The OCI registry of the Distribution project. */
  readonly ociRegistry: string
  /** The folder of schemas; see `kubernetesSchemas`. */
  readonly schemas: string
  /** The folder of custom resource definitions of Argo CD and Flux. */
  readonly customResources: string
}

/**
 * Returns the tools, after building or downloading what the per-user cache does not contain yet.
 *
 * @throws Error that names what is missing on this machine
 */
export async function chartTools(progress: Progress): Promise<ChartTools> {
  const schemas = await kubernetesSchemas(progress)
  const helm = await goTools(
    {
      module: 'helm',
      programs: { helm: 'helm.sh/helm/v3/cmd/helm', kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform' },
      minutes: 3,
    },
    progress,
  )
  const etcd = await goTools({ module: 'etcd', programs: { etcd: 'go.etcd.io/etcd/server/v3' }, minutes: 2 }, progress)
  const ociRegistry = await goTools(
    {
      module: 'oci-registry',
      programs: { registry: 'github.com/distribution/distribution/v3/cmd/registry' },
      minutes: 3,
    },
    progress,
  )
  const kubernetes = await goTools(
    {
      module: 'kubernetes',
      programs: {
        'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
        kubectl: 'k8s.io/kubernetes/cmd/kubectl',
      },
      minutes: 10,
    },
    progress,
  )
  return {
    helm: join(helm, 'helm'),
    kubeconform: join(helm, 'kubeconform'),
    etcd: join(etcd, 'etcd'),
    kubeApiserver: join(kubernetes, 'kube-apiserver'),
    kubectl: join(kubernetes, 'kubectl'),
    ociRegistry: join(ociRegistry, 'registry'),
    schemas,
    customResources: await customResourceDefinitions(progress),
  }
}
