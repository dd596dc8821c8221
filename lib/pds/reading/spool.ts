import { randomUUID } from 'node:crypto';
import { readSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnexpectedError } from '../../errors/unexpected.error.js';
import { reasonOf } from '../../errors/reason-of.js';

/** What is smaller stays in memory. */
const MEMORY_BYTES = 4_000_000;

/**
 * Bytes that are written once, and then read anywhere. Beyond some MB they go to a temporary file, whose name
 * is removed as soon as it is open: nothing is left of it when it is closed, or when the process is killed.
 */
export class Spool implements AsyncDisposable {
  size = 0;
  private chunks: Uint8Array[] = [];
  private file: FileHandle | undefined;

  /** @param directory for temporary files; the system's by default */
  constructor(private readonly directory = tmpdir()) {}

  /** @param chunk belongs to the spool from now on */
  async append(chunk: Uint8Array): Promise<void> {
    this.size += chunk.length;
    if (this.file === undefined && this.size <= MEMORY_BYTES) {
      this.chunks.push(chunk);
      return;
    }
    try {
      const file = (this.file ??= await this.temporaryFile());
      for (const bytes of [...this.chunks.splice(0), chunk]) {
        await writeAll(file, bytes);
        free(bytes);
      }
    } catch (cause) {
      throw new UnexpectedError(
        `A repository cannot be kept in ${this.directory} while it is read: ${reasonOf(cause)}`,
        { cause },
      );
    }
  }

  /**
   * As many bytes as there are, at most `length`. The system still has in memory what was written just now, so
   * they are read at once: for each block, waiting for a thread's turn costs far more than reading.
   */
  read(offset: number, length: number): Uint8Array {
    const end = Math.min(this.size, offset + length);
    if (this.file === undefined) return this.memory().subarray(offset, end);
    const bytes = Buffer.allocUnsafe(end - offset);
    let at = 0;
    for (let read = -1; at < bytes.length && read !== 0; at += read) {
      read = readSync(this.file.fd, bytes, at, bytes.length - at, offset + at);
    }
    return bytes.subarray(0, at);
  }

  /** Closes the file. Nothing can be read any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { file } = this;
    this.file = undefined;
    this.chunks = [];
    this.size = 0;
    await file?.close();
  }

  private memory(): Uint8Array {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] ?? new Uint8Array();
  }

  private async temporaryFile(): Promise<FileHandle> {
    const path = join(this.directory, `parity-${randomUUID()}.car`);
    const file = await open(path, 'wx+', 0o600);
    await rm(path);
    return file;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

/**
 * Gives the memory of a chunk back. Chunks are no load for the garbage collector, which let 100 MB of them lie
 * about. One that is a part of a buffer is left alone, because others may use the rest.
 */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
