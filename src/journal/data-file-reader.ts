/**
 * Reads a journal's data file without LMDB: nothing is written, no lock is taken, and no page is kept from being reused.
 *
 * LMDB itself would register each reader in the lock file, which has to be written for that. It would keep free pages of a
 * running connector for as long as a reader lives, and for ten minutes after a reader was killed. And it ends the process
 * without an error when a page is damaged. docs/adr/0012-journal-commands-read-the-file.md weighs this.
 *
 * # The file
 * It consists of pages (`struct MDB_page` of LMDB's data version 2). Two meta pages are written in turn, each by the commit of
 * one transaction, and locate the roots of the trees. A transaction never changes a page of the last one that was committed:
 * it writes copies to pages that are free, so that a crash leaves the last commit intact. Each page names its own number and
 * the transaction that wrote it.
 *
 * # Reading beside a writer
 * So what was read of one snapshot is right if its transaction is still the last one afterwards. A leaf with the pages above it
 * takes about 0.1 ms, which is much less than the fsync of a commit, and is read again if a commit came in between. A value of
 * many pages may take longer than a commit. It is right if a later snapshot still has it in the same place, because the
 * journal never changes a value, and its pages are not free before it is deleted.
 */
import { closeSync, openSync, readSync } from 'node:fs'

/** A key and its value, as they are stored. */
export interface StoredPair {
  readonly key: Buffer
  readonly value: Buffer
}

/** The figures of a database. */
export interface DatabaseSize {
  readonly entries: number
  /** Bytes of its pages. */
  readonly bytes: number
}

/** The file, or the part of it that was asked for, can't be read because its contents are wrong. */
export class DamagedDataFileError extends Error {
  override readonly name = 'DamagedDataFileError'
}

/** The version of LMDB's format that this reads. */
export const DATA_VERSION = 2
const MAGIC = 0xbeefc0de
const META_PAGES = 2
const MIN_PAGE_BYTES = 4_096
const MAX_PAGE_BYTES = 65_536

/** Offsets in a page. Its contents begin behind the header, and the offsets of its nodes count from there. */
const PAGE = { number: 0, transaction: 8, flags: 18, lower: 20, overflowPages: 20, headerBytes: 24 }
const PAGE_FLAGS = { branch: 0x01, leaf: 0x02, overflow: 0x04 }
/** Offsets in a meta page. */
const META = { magic: 24, version: 28, pageBytes: 48, mainTree: 96, lastPage: 144, transaction: 152, end: 160 }
/** Offsets in the description of a tree. */
const TREE = { depth: 6, branchPages: 8, leafPages: 16, overflowPages: 24, entries: 32, root: 40, bytes: 48 }
/** Offsets in a node of a page. The first four bytes are the length of the value, or the lower part of a page number. */
const NODE = { valueBytes: 0, upperPageNumber: 4, flags: 4, keyBytes: 6, headerBytes: 8 }
const NODE_FLAGS = { overflow: 0x01, tree: 0x02 }
const NO_PAGE = 2n ** 64n - 1n

interface Tree extends DatabaseSize {
  readonly depth: number
  /** Null for a tree without pages. */
  readonly root: number | null
}

interface Snapshot {
  /** The meta pages that it was read from. */
  readonly metaPages: Buffer
  readonly transaction: bigint
  readonly lastPage: number
  readonly pageBytes: number
  readonly mainTree: Tree
}

/** A value that has pages of its own. */
interface OverflowValue {
  readonly page: number
  readonly bytes: number
}

interface LeafNode {
  readonly key: Buffer
  readonly value: Buffer | OverflowValue
}

interface Child {
  readonly key: Buffer
  readonly page: number
}

interface Leaf {
  readonly nodes: readonly LeafNode[]
  /** The key from which the next leaf is found; null behind the last leaf. */
  readonly next: Buffer | null
}

const NO_LEAF: Leaf = { nodes: [], next: null }

/** A scan needs one branch page of each level at a time. */
const MAX_CACHED_BRANCHES = 64
/** A snapshot was overtaken by commits so often that something else must be wrong, for example a clock that stands still. */
const MAX_ATTEMPTS = 10_000

export class DataFileReader {
  readonly #descriptor: number
  readonly #path: string
  /** The snapshot of the last reading, and what was read of it above the leaves. */
  #snapshot: Snapshot | undefined
  #pageBytes: number | undefined
  readonly #branches = new Map<number, readonly Child[]>()
  readonly #trees = new Map<string, Tree | null>()

  /**
   * @param path of the data file
   * @throws Error of the system if it can't be opened for reading
   */
  constructor(path: string) {
    this.#path = path
    this.#descriptor = openSync(path, 'r')
  }

  /** The number of the last transaction that was committed. @throws DamagedDataFileError */
  get lastTransaction(): number {
    return Number(this.#readSnapshot().transaction)
  }

  /** @returns null if the file has no such database. @throws DamagedDataFileError */
  size(database: string): DatabaseSize | null {
    return this.#readConsistently((snapshot) => this.#findTree(snapshot, database))
  }

  /** Returns the value of a key. @throws DamagedDataFileError */
  get(database: string, key: Buffer): Buffer | undefined {
    for (const found of this.scan(database, key)) return found.key.equals(key) ? found.value : undefined
    return undefined
  }

  /** Returns the last key; undefined in an empty database. @throws DamagedDataFileError */
  lastKey(database: string): Buffer | undefined {
    return this.#readLeaf(database, null).nodes.at(-1)?.key
  }

  /**
   * Returns the pairs from a key on, in the order of their keys. Each leaf page is read when it is needed, so what is deleted
   * or added meanwhile may be left out. One value at a time is in memory.
   * @throws DamagedDataFileError
   */
  *scan(database: string, start: Buffer): Generator<StoredPair, void, undefined> {
    let from: Buffer | null = start
    while (from !== null) {
      const leaf: Leaf = this.#readLeaf(database, from)
      for (const { key, value } of leaf.nodes) {
        if (key.compare(from) < 0) continue
        const bytes = Buffer.isBuffer(value) ? value : this.#readOverflowValue(database, key, value)
        if (bytes !== undefined) yield { key, value: bytes }
      }
      from = leaf.next
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  /** @param key that the leaf is to hold, if any leaf does; null for the last leaf */
  #readLeaf(database: string, key: Buffer | null): Leaf {
    return this.#readConsistently((snapshot) => {
      const tree = this.#findTree(snapshot, database)
      return tree === null ? NO_LEAF : this.#findLeaf(snapshot, tree, key)
    })
  }

  /**
   * @param place where a snapshot has the value. Other values may be there since.
   * @returns undefined if the key was deleted meanwhile
   */
  #readOverflowValue(database: string, key: Buffer, place: OverflowValue): Buffer | undefined {
    let wanted = place
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { value, damage } = this.#readOverflowPages(wanted)
      const node = this.#readLeaf(database, key).nodes.find((each) => each.key.equals(key))
      if (node === undefined) return undefined
      if (Buffer.isBuffer(node.value)) return node.value
      // What an earlier and a later snapshot have in the same place was there all the time in between.
      const isInPlace = node.value.page === wanted.page && node.value.bytes === wanted.bytes
      if (isInPlace && damage !== undefined) throw damage
      if (isInPlace) return value
      wanted = node.value
    }
    throw this.#overtakenError()
  }

  /** Calls `read` with a snapshot until it is still the last one afterwards. */
  #readConsistently<T>(read: (snapshot: Snapshot) => T): T {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const snapshot = this.#snapshot ?? this.#readSnapshot()
      this.#snapshot = snapshot
      try {
        const result = read(snapshot)
        if (this.#isCurrent(snapshot)) return result
      } catch (error) {
        // What a later transaction has written looks like damage.
        if (!(error instanceof DamagedDataFileError) || this.#isCurrent(snapshot)) throw error
      }
      this.#snapshot = undefined
      this.#branches.clear()
      this.#trees.clear()
    }
    throw this.#overtakenError()
  }

  #overtakenError(): Error {
    return new Error(`${this.#path} changes faster than it can be read`)
  }

  #isCurrent({ metaPages }: Snapshot): boolean {
    return this.#readMetaPages().equals(metaPages)
  }

  /** Reads the meta pages until two readings agree, because a commit may be writing one of them. */
  #readSnapshot(): Snapshot {
    let previous = this.#readMetaPages()
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const present = this.#readMetaPages()
      if (present.equals(previous)) return this.#parseSnapshot(present)
      previous = present
    }
    throw this.#overtakenError()
  }

  #readMetaPages(): Buffer {
    this.#pageBytes ??= this.#readPageBytes()
    return this.#readBytes(0, this.#pageBytes + META.end)
  }

  /** The first page is written when the file is created, and names the size of all pages. */
  #readPageBytes(): number {
    const first = this.#readBytes(0, META.end)
    if (first.readUInt32LE(META.magic) !== MAGIC) throw this.#damage('it does not begin as an LMDB file does')
    const pageBytes = first.readUInt32LE(META.pageBytes)
    if (pageBytes >= MIN_PAGE_BYTES && pageBytes <= MAX_PAGE_BYTES) return pageBytes
    throw this.#damage(`its first page names a page size of ${pageBytes} bytes`)
  }

  #parseSnapshot(metaPages: Buffer): Snapshot {
    const metas = [metaPages.subarray(0, META.end), metaPages.subarray(-META.end)]
    for (const meta of metas) {
      if (meta.readUInt32LE(META.magic) !== MAGIC) throw this.#damage('one of its first two pages is no meta page')
      const version = meta.readUInt32LE(META.version) & 0xffff
      if (version !== DATA_VERSION) {
        throw this.#damage(`it has version ${version} of LMDB's format, and this release reads version ${DATA_VERSION}`)
      }
    }
    const transactionOf = (meta: Buffer): bigint => meta.readBigUInt64LE(META.transaction)
    const [first, second] = metas as [Buffer, Buffer]
    const meta = transactionOf(second) > transactionOf(first) ? second : first
    const pageBytes = meta.readUInt32LE(META.pageBytes)
    return {
      metaPages,
      transaction: transactionOf(meta),
      lastPage: Number(meta.readBigUInt64LE(META.lastPage)),
      pageBytes,
      mainTree: parseTree(meta.subarray(META.mainTree, META.mainTree + TREE.bytes), pageBytes),
    }
  }

  #findTree(snapshot: Snapshot, database: string): Tree | null {
    const known = this.#trees.get(database)
    if (known !== undefined) return known
    const tree = this.#readTree(snapshot, database)
    this.#trees.set(database, tree)
    return tree
  }

  /** The main tree holds the description of each database under its name. */
  #readTree(snapshot: Snapshot, database: string): Tree | null {
    const name = Buffer.from(database)
    const leaf = this.#findLeaf(snapshot, snapshot.mainTree, name)
    const node = leaf.nodes.find(({ key }) => key.equals(name) || key.equals(Buffer.concat([name, Buffer.of(0)])))
    if (node === undefined) return null
    if (!Buffer.isBuffer(node.value) || node.value.length !== TREE.bytes) {
      throw this.#damage(`the description of its database ${database} is damaged`)
    }
    return parseTree(node.value, snapshot.pageBytes)
  }

  #findLeaf(snapshot: Snapshot, tree: Tree, key: Buffer | null): Leaf {
    let next: Buffer | null = null
    if (tree.root === null) return NO_LEAF
    let number = tree.root
    for (let level = 1; level < tree.depth; level++) {
      const children = this.#readBranch(snapshot, number)
      // The first key of a branch is not stored, because its child holds everything below the second key.
      let index = children.length - 1
      while (key !== null && index > 0 && children[index]!.key.compare(key) > 0) index--
      next = children[index + 1]?.key ?? next
      number = children[index]!.page
    }
    const leaf = this.#readPage(snapshot, number, PAGE_FLAGS.leaf)
    return { nodes: this.#parseLeaf(leaf, number), next }
  }

  #readPage(snapshot: Snapshot, number: number, flag: number, pages = 1): Buffer {
    if (number < META_PAGES || number + pages - 1 > snapshot.lastPage) {
      throw this.#damage(`it refers to page ${number}, which it does not have`)
    }
    const page = this.#readBytes(number * snapshot.pageBytes, pages * snapshot.pageBytes)
    const isPage = page.readBigUInt64LE(PAGE.number) === BigInt(number)
    const isOfSnapshot = page.readBigUInt64LE(PAGE.transaction) <= snapshot.transaction
    const hasKind = (page.readUInt16LE(PAGE.flags) & flag) !== 0
    if (!isPage || !isOfSnapshot || !hasKind) throw this.#damage(`page ${number} is damaged`)
    return page
  }

  /** @returns the value, or what is wrong with its pages */
  #readOverflowPages({ page: number, bytes }: OverflowValue): { value?: Buffer; damage?: DamagedDataFileError } {
    try {
      const snapshot = this.#readSnapshot()
      const pages = Math.ceil((PAGE.headerBytes + bytes) / snapshot.pageBytes)
      const content = this.#readPage(snapshot, number, PAGE_FLAGS.overflow, pages)
      if (content.readUInt32LE(PAGE.overflowPages) < pages) throw this.#damage(`page ${number} is damaged`)
      return { value: content.subarray(PAGE.headerBytes, PAGE.headerBytes + bytes) }
    } catch (error) {
      if (error instanceof DamagedDataFileError) return { damage: error }
      throw error
    }
  }

  #readBranch(snapshot: Snapshot, number: number): readonly Child[] {
    const known = this.#branches.get(number)
    if (known !== undefined) return known
    const page = this.#readPage(snapshot, number, PAGE_FLAGS.branch)
    const children = this.#nodesOf(page, number).map((node) => {
      // A page number takes 48 bits.
      const upper = node.readUInt16LE(NODE.upperPageNumber)
      return { key: this.#keyOf(node, number), page: upper * 2 ** 32 + node.readUInt32LE(NODE.valueBytes) }
    })
    if (children.length === 0) throw this.#damage(`page ${number} is damaged`)
    if (this.#branches.size >= MAX_CACHED_BRANCHES) this.#branches.clear()
    this.#branches.set(number, children)
    return children
  }

  #parseLeaf(page: Buffer, number: number): LeafNode[] {
    return this.#nodesOf(page, number).map((node) => {
      const key = this.#keyOf(node, number)
      const bytes = node.readUInt32LE(NODE.valueBytes)
      const begin = NODE.headerBytes + key.length
      const isOverflow = (node.readUInt16LE(NODE.flags) & NODE_FLAGS.overflow) !== 0
      if (begin + (isOverflow ? 8 : bytes) > node.length) throw this.#damage(`page ${number} is damaged`)
      if (isOverflow) return { key, value: { page: Number(node.readBigUInt64LE(begin)), bytes } }
      return { key, value: node.subarray(begin, begin + bytes) }
    })
  }

  /** Returns the nodes of a page, each with everything that stands behind it on the page. */
  #nodesOf(page: Buffer, number: number): Buffer[] {
    const lower = PAGE.headerBytes + page.readUInt16LE(PAGE.lower)
    const nodes: Buffer[] = []
    for (let offset = PAGE.headerBytes; offset < lower && offset + 2 <= page.length; offset += 2) {
      const begin = PAGE.headerBytes + page.readUInt16LE(offset)
      if (begin + NODE.headerBytes > page.length) throw this.#damage(`page ${number} is damaged`)
      nodes.push(page.subarray(begin))
    }
    return nodes
  }

  #keyOf(node: Buffer, number: number): Buffer {
    const end = NODE.headerBytes + node.readUInt16LE(NODE.keyBytes)
    if (end > node.length) throw this.#damage(`page ${number} is damaged`)
    return node.subarray(NODE.headerBytes, end)
  }

  #readBytes(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const read = readSync(this.#descriptor, bytes, filled, length - filled, position + filled)
      if (read === 0) throw this.#damage(`it ends before byte ${position + length}, which it should have`)
      filled += read
    }
    return bytes
  }

  #damage(detail: string): DamagedDataFileError {
    return new DamagedDataFileError(`${this.#path} is damaged: ${detail}`)
  }
}

function parseTree(description: Buffer, pageBytes: number): Tree {
  const numberAt = (offset: number): number => Number(description.readBigUInt64LE(offset))
  const root = description.readBigUInt64LE(TREE.root)
  const pages = numberAt(TREE.branchPages) + numberAt(TREE.leafPages) + numberAt(TREE.overflowPages)
  return {
    depth: description.readUInt16LE(TREE.depth),
    entries: numberAt(TREE.entries),
    bytes: pages * pageBytes,
    root: root === NO_PAGE ? null : Number(root),
  }
}
