import { randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnexpectedError } from '../../errors/unexpected.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { Recent } from '../../runtime/recent.js';

/** What is smaller stays in memory. */
const MEMORY_BYTES = 4_000_000;
const PAGE_BYTES = 32_768;
/** Of the file, in memory: what is written together is often read together. */
const PAGES = 256;

/**
 * Bytes that are written once, and then read anywhere. Beyond some MB they go to a temporary file, whose name
 * is removed as soon as it is open: nothing is left of it when it is closed, or when the process is killed.
 */
export class Spool implements AsyncDisposable {
  size = 0;
  private chunks: Uint8Array[] = [];
  private file: FileHandle | undefined;
  private readonly pages = new Recent<number, Uint8Array>(PAGES);

  /** @param directory for temporary files; the system's by default */
  constructor(private readonly directory = tmpdir()) {}

  async append(chunk: Uint8Array): Promise<void> {
    this.size += chunk.length;
    if (this.file === undefined && this.size <= MEMORY_BYTES) {
      this.chunks.push(chunk);
      return;
    }
    try {
      const file = (this.file ??= await this.temporaryFile());
      for (const bytes of [...this.chunks.splice(0), chunk]) await writeAll(file, bytes);
    } catch (cause) {
      throw new UnexpectedError(
        `A repository cannot be kept in ${this.directory} while it is read: ${reasonOf(cause)}`,
        { cause },
      );
    }
  }

  /** As many bytes as there are, at most `length`. A promise where they have to be read from the file. */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    const end = Math.min(this.size, offset + length);
    if (this.file === undefined) return this.memory().subarray(offset, end);
    const page = Math.floor(offset / PAGE_BYTES);
    const bytes = this.pages.get(page);
    const start = page * PAGE_BYTES;
    if (bytes !== undefined && end <= start + PAGE_BYTES) return bytes.subarray(offset - start, end - start);
    return this.fromFile(this.file, offset, end);
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

  private async fromFile(file: FileHandle, offset: number, end: number): Promise<Uint8Array> {
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.floor((end - 1) / PAGE_BYTES);
    const pages: Uint8Array[] = [];
    for (let page = first; page <= last; page++) {
      pages.push(this.pages.get(page) ?? (await this.pageFrom(file, page)));
    }
    const start = first * PAGE_BYTES;
    const bytes = pages.length === 1 ? pages[0] : Buffer.concat(pages);
    return bytes?.subarray(offset - start, end - start) ?? new Uint8Array();
  }

  private async pageFrom(file: FileHandle, page: number): Promise<Uint8Array> {
    const start = page * PAGE_BYTES;
    const length = Math.min(PAGE_BYTES, this.size - start);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(length), 0, length, start);
    const bytes = buffer.subarray(0, bytesRead);
    this.pages.set(page, bytes);
    return bytes;
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
