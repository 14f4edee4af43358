import { defineConfig } from 'vitest/config'

// The examples of consumers in five languages: `npm run test:consumers`. The tests are called .spec.ts so that `npm test` leaves
// them alone: they need Java with Maven, Go and Python, and download the libraries of the examples once.
export default defineConfig({
  test: {
    include: ['test/examples/consumers/**/*.spec.ts'],
    globalSetup: ['dev/stack/vitest-global.ts'],
    // A real broker, a real registry, compilers and JVMs: generous limits, no retries.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    retry: 0,
    maxWorkers: 1,
  },
})
