import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['dev/stack/vitest-global.ts'],
    // Real brokers, registries and child processes: generous limits, no retries. A flaky test is a bug.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    retry: 0,
    // The machine has few cores and one broker; files that share them run in a few workers only.
    maxWorkers: 2,
  },
})
