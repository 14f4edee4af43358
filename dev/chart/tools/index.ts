import { join } from 'node:path'
import type { Progress } from '../../progress.js'
import { goTools } from './go.js'
import { kubernetesSchemas } from './schemas.js'

/** What the chart is tested with, as paths. */
export interface ChartTools {
  readonly helm: string
  readonly kubeconform: string
  readonly kubectl: string
  readonly kubeApiserver: string
  readonly etcd: string
  /** Folder of schemas, see `kubernetesSchemas`. */
  readonly schemas: string
}

/**
 * The tools, built or downloaded into the per-user cache if they aren't there yet.
 *
 * @throws Error in a sentence that says what is missing on this machine
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
