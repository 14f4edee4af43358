import { defineConfig } from 'vitest/config'

// The chart, and the files of monitoring/ that it contains: `npm run test:chart`. The tests are called .spec.ts so that `npm test`
// leaves them alone: they need helm and a Kubernetes API server, which are built from source, once and for some minutes, and
// Prometheus.
export default defineConfig({
  test: {
    include: ['test/chart/**/*.spec.ts', 'test/monitoring/**/*.spec.ts'],
    globalSetup: ['dev/chart/vitest-global.ts'],
    // Brokers, registries and API servers are started by some files, on a machine that may have few cores: generous limits,
    // no retries.
    testTimeout: 180_000,
    hookTimeout: 300_000,
    retry: 0,
    maxWorkers: 2,
  },
})
