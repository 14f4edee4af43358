/**
 * The objects that the chart makes, as far as tests look into them. What is only compared is unknown. That the whole is
 * valid is for Kubernetes to say (conformance.spec.ts, cluster.spec.ts).
 */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
}

export interface Metadata {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface Container {
  readonly image: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly envFrom?: unknown
  readonly ports: readonly { readonly name: string }[]
  readonly volumeMounts: readonly unknown[]
  readonly securityContext: unknown
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
}

interface Probe {
  readonly httpGet: unknown
  readonly periodSeconds: number
  readonly failureThreshold: number
}

export interface PodSpec {
  readonly automountServiceAccountToken: boolean
  readonly containers: readonly [Container]
  readonly initContainers?: readonly Container[]
  readonly securityContext: unknown
  readonly serviceAccountName?: string
  readonly terminationGracePeriodSeconds: number
  readonly topologySpreadConstraints: readonly { readonly topologyKey: string; readonly labelSelector: unknown }[]
  readonly volumes: readonly { readonly name: string }[]
}

interface Selector {
  readonly matchLabels: Readonly<Record<string, string>>
}

/** Of a NetworkPolicy. */
export interface Rule {
  readonly ports: readonly { readonly port: number | string }[]
  readonly from?: readonly { readonly podSelector?: Selector }[]
  readonly to?: unknown
}

/** Of a PrometheusRule; a recording rule has no name of an alert. */
export interface Alert {
  readonly alert?: string
  readonly expr: string
  readonly labels: unknown
  readonly annotations?: unknown
}

interface RuleGroup {
  readonly name: string
  readonly rules: readonly Alert[]
}

interface Specs {
  ConfigMap: unknown
  HTTPRoute: { parentRefs: unknown; hostnames: unknown; rules: unknown }
  Ingress: { ingressClassName: string; tls: unknown; rules: unknown }
  NetworkPolicy: {
    podSelector: Selector & { matchExpressions: readonly [{ values: readonly string[] }] }
    policyTypes: readonly string[]
    ingress: readonly [Rule, Rule, Rule]
    egress: readonly [Rule, Rule, Rule, Rule, Rule, Rule]
  }
  Pod: PodSpec
  PodDisruptionBudget: { selector: Selector }
  PrometheusRule: { groups: readonly [RuleGroup, ...RuleGroup[]] }
  Secret: unknown
  Service: {
    selector: unknown
    publishNotReadyAddresses?: boolean
    ports: readonly [{ name: string }]
  }
  ServiceAccount: unknown
  ServiceMonitor: {
    selector: Selector
    namespaceSelector: unknown
    endpoints: readonly [{ authorization: unknown; relabelings: unknown; metricRelabelings: unknown }]
  }
  StatefulSet: {
    replicas: number
    selector: Selector
    serviceName: string
    persistentVolumeClaimRetentionPolicy: unknown
    volumeClaimTemplates?: readonly [{ metadata: Metadata; spec: unknown }]
    template: { metadata: Metadata & { annotations: Readonly<Record<string, string>> }; spec: PodSpec }
  }
}

export type Kind = keyof Specs

/** An object of this kind: `ObjectOf<'Service'>`. */
export type ObjectOf<K extends Kind> = KubernetesObject & {
  readonly spec: Readonly<Specs[K]>
  /** Of a ConfigMap and a Secret. */
  readonly data: Readonly<Record<string, string>>
  /** Of a ServiceAccount. */
  readonly automountServiceAccountToken?: boolean
}
