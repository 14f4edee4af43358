import type { TestProject } from 'vitest/node'
import { progressOn } from '../progress.js'
import { chartTools } from './tools/index.js'
import type { ChartTools } from './tools/index.js'

/** Provides the tools to every test of the chart: `inject('chartTools')`. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide('chartTools', await chartTools(progressOn()))
}

declare module 'vitest' {
  interface ProvidedContext {
    chartTools: ChartTools
  }
}
