/** Opens files whose paths come from a configuration, or lie where somebody else may have put something in their place. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** The file of an owner alone, and the directory of an owner alone. */
export const PRIVATE_FILE_MODE = 0o600
export const PRIVATE_DIRECTORY_MODE = 0o700

/** - `NOT_A_FILE`: a device, a pipe, a socket. `TOO_LARGE`: more bytes than allowed. `HAS_OTHER_NAMES`: a hard link. */
export type FileRefusal = 'NOT_A_FILE' | 'TOO_LARGE' | 'HAS_OTHER_NAMES'

/** A file that the system would open, and that is not what is wanted. */
export class FileRefusedError extends Error {
  readonly code: FileRefusal

  constructor(code: FileRefusal, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Reads a regular file. A symbolic link is followed, because Kubernetes mounts secrets as links. A device such as `/dev/zero` never
 * ends, and the opening of a pipe waits for its writer, so neither is read.
 * @throws FileRefusedError, or an error of the system
 */
export function readRegularFile(path: string, maxBytes: number): Buffer {
  // Without O_NONBLOCK the opening of a pipe would wait.
  const descriptor = openSync(path, O_RDONLY | O_NONBLOCK)
  try {
    const stats = fstatSync(descriptor)
    if (stats.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' })
    if (!stats.isFile()) throw new FileRefusedError('NOT_A_FILE', `${path} is not a regular file`)
    // The size of a file may be 0 although it has content, as in /proc, and it may grow while it is read.
    const bytes = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(stats.size, MIN_READ_BYTES)) + 1)
    const parts: Buffer[] = []
    let total = 0
    for (;;) {
      const length = readSync(descriptor, bytes)
      if (length === 0) return Buffer.concat(parts)
      total += length
      if (total > maxBytes) throw new FileRefusedError('TOO_LARGE', `${path} has more than ${maxBytes} bytes`)
      parts.push(Buffer.from(bytes.subarray(0, length)))
    }
  } finally {
    closeSync(descriptor)
  }
}

const MIN_READ_BYTES = 64 * 1024

/**
 * Opens a file that only this program writes. What somebody has put in its place is refused: a symbolic or hard link would lead the
 * program to write to another file, and a pipe would make it wait.
 * @param flags such as `O_WRONLY | O_CREAT`
 * @throws FileRefusedError, or an error of the system; ELOOP for a symbolic link
 */
export function openOwnFile(path: string, flags: number): number {
  const descriptor = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, PRIVATE_FILE_MODE)
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile()) throw new FileRefusedError('NOT_A_FILE', `${path} is not a regular file; remove it`)
    if (stats.nlink > 1) {
      throw new FileRefusedError('HAS_OTHER_NAMES', `${path} is also the file of another name (a hard link); remove it`)
    }
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}
