/**
 * Loaded into the connector before it starts (`node --import`). At each SIGUSR2 it appends a line to the file in BENCH_ALLOCATIONS:
 * the bytes of V8's heap that were allocated since the signal before. Garbage collections in between are added up again.
 */
import { appendFileSync } from 'node:fs'
import { GCProfiler } from 'node:v8'

let profiler
let usedAtStart

process.on('SIGUSR2', () => {
  const used = process.memoryUsage().heapUsed
  if (profiler) {
    const freed = profiler
      .stop()
      .statistics.map(
        ({ beforeGC, afterGC }) => beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
      )
      .reduce((sum, bytes) => sum + bytes, 0)
    appendFileSync(process.env.BENCH_ALLOCATIONS, `${used - usedAtStart + freed}\n`)
  }
  profiler = new GCProfiler()
  profiler.start()
  usedAtStart = process.memoryUsage().heapUsed
})
