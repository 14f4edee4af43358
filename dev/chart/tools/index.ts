import { join } from 'node:path'
import type { Progress } from '../../progress.js'
import { goTools } from './go.js'
import { kubernetesSchemas } from './schemas.js'

/** The paths of the tools that test the chart. */
export interface ChartTools {
  readonly helm: string
  readonly kubeconform: string
  readonly kubectl: string
  readonly kubeApiserver: string
  readonly etcd: string
  /** The folder of schemas; see `kubernetesSchemas`. */
  readonly schemas: string
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
    schemas,
  }
}
