import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { ParityOptionsError } from '../../../errors/parity-options.error.js';

export interface EncryptionKey {
  /** Names the key in stored values; tells nothing about its bytes. */
  readonly id: string;
  readonly secret: KeyObject;
}

const BYTES = 32;
const TAKES =
  'an array of keys, each 32 random bytes in base64 (`openssl rand -base64 32`), the one to encrypt with first';

/**
 * @param keys 32 bytes each, in base64 or base64url
 * @throws ParityOptionsError that says what is wrong with which key, and quotes none
 */
export function encryptionKeys(keys: unknown): [EncryptionKey, ...EncryptionKey[]] {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new ParityOptionsError(
      `oauth encryptionKeys takes ${TAKES}; got ${Array.isArray(keys) ? 'an empty array' : typeof keys}.`,
    );
  }
  const parsed = (keys as readonly unknown[]).map(parse);
  return parsed as [EncryptionKey, ...EncryptionKey[]];
}

function parse(key: unknown, index: number): EncryptionKey {
  const wrong = (problem: string): ParityOptionsError =>
    new ParityOptionsError(`oauth encryptionKeys[${index}] ${problem}: it takes ${TAKES}.`);
  if (typeof key !== 'string') throw wrong(`is ${key === null ? 'null' : `of type ${typeof key}`}`);
  const text = key.trim();
  // Buffer.from() skips characters that are not base64, which would make a weak key of a passphrase.
  if (!/^[\w+/-]*={0,2}$/.test(text)) throw wrong('is no base64');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== BYTES) throw wrong(`has ${bytes.length} bytes instead of ${BYTES}`);
  if (bytes.every((byte) => byte === bytes[0])) throw wrong('is not random');
  const id = createHash('sha256')
    .update('nestjs-parity key id')
    .update(bytes)
    .digest('base64url')
    .slice(0, 11);
  return { id, secret: createSecretKey(bytes) };
}
