/** What LMDB says of its pages. All in constant time. */
import type { Environment } from './environment.js'

interface Tree {
  readonly pageSize: number
  readonly entryCount: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

interface Stats extends Tree {
  readonly root: Tree
  readonly free: Tree
  readonly lastPageNumber: number
}

interface Measurable {
  getStats(): unknown
}

const statsOf = (db: Measurable): Stats => db.getStats() as Stats

const sizeOf = (tree: Tree): number =>
  tree.pageSize * (tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages)

export const entryCount = (db: Measurable): number => statsOf(db).entryCount

/** Bytes of the pages that a database uses. */
export const bytesIn = (db: Measurable): number => sizeOf(statsOf(db))

/** Bytes of the file that nothing uses: writing them needs no room on the disk. */
export function spareBytes({ root, ...databases }: Environment): number {
  const all = statsOf(root)
  const used = Object.values(databases).reduce((sum, db) => sum + bytesIn(db), sizeOf(all.root) + sizeOf(all.free))
  // The first two pages say where everything begins.
  return (all.lastPageNumber + 1 - 2) * all.pageSize - used
}
