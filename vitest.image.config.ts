import { defineConfig } from 'vitest/config'

// The image: `npm run test:image`. Its files are called .spec.ts so that `npm test` leaves them alone: they need a Docker
// daemon, and build for minutes.
export default defineConfig({
  test: {
    include: ['test/image/**/*.spec.ts'],
    globalSetup: ['dev/chart/image/vitest-global.ts'],
    testTimeout: 300_000,
    hookTimeout: 1_200_000,
    retry: 0,
    maxWorkers: 1,
  },
})
