import { defineConfig } from 'vitest/config'

// The tests that need neither broker nor registry, for a quick answer while working. `npm test` runs everything.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/integration/**', 'test/dev/faults/faults.test.ts'],
    retry: 0,
    testTimeout: 60_000,
  },
})
