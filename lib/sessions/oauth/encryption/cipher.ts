import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ParityOptionsError } from '../../../errors/parity-options.error.js';
import type { OptionNames } from '../../../model/option-checks.js';
import { encryptionKeys, type EncryptionKey } from './encryption-keys.js';

export interface EncryptionOptions {
  /**
   * Keys of 32 random bytes in base64 (`openssl rand -base64 32`). The first encrypts, all decrypt. To change
   * the key, put the new one in front, and remove the old one when every session has been refreshed (for a
   * confidential client up to three months).
   */
  readonly encryptionKeys: readonly string[];
  /**
   * Also reads values that were stored without encryption; each is encrypted when it is next written. An
   * attacker who can write to the store can then plant a session, so remove the option again. Default: false.
   */
  readonly acceptPlaintext?: boolean;
}

export const ENCRYPTION_NAMES: OptionNames<EncryptionOptions> = {
  encryptionKeys: true,
  acceptPlaintext: true,
};

/** A value as it is stored, as JSON. */
export interface Envelope {
  readonly encrypted: 1;
  /** Id of the key. */
  readonly kid: string;
  readonly nonce: string;
  /** Ciphertext and tag. */
  readonly data: string;
}

export type Purpose = 'session' | 'state';

const ALGORITHM = 'aes-256-gcm';
/** 96 bits, as GCM wants them; random ones are safe for 2^32 values of one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export const isEnvelope = (value: unknown): value is Envelope =>
  typeof value === 'object' && value !== null && (value as Partial<Envelope>).encrypted === 1;

/**
 * AES-256-GCM. The purpose and key of a value (a session, its DID) are authenticated with it, so that
 * swapping rows cannot give one account's session to another.
 */
export class Cipher {
  readonly #keys: readonly [EncryptionKey, ...EncryptionKey[]];
  readonly #acceptPlaintext: boolean;

  /** @throws ParityOptionsError for invalid keys */
  constructor({ encryptionKeys: keys, acceptPlaintext = false }: EncryptionOptions) {
    this.#keys = encryptionKeys(keys);
    this.#acceptPlaintext = acceptPlaintext;
  }

  seal(purpose: Purpose, key: string, value: unknown): Envelope {
    const [{ id, secret }] = this.#keys;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, secret, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associated(purpose, key));
    const data = [cipher.update(JSON.stringify(value), 'utf8'), cipher.final(), cipher.getAuthTag()];
    return {
      encrypted: 1,
      kid: id,
      nonce: nonce.toString('base64'),
      data: Buffer.concat(data).toString('base64'),
    };
  }

  /**
   * @throws ParityOptionsError where a value cannot be decrypted; never gives `undefined` then, which would
   *   mean 'signed out'
   */
  open(purpose: Purpose, key: string, stored: unknown): unknown {
    if (!isEnvelope(stored)) {
      if (this.#acceptPlaintext) return stored;
      throw new ParityOptionsError(
        `The stored OAuth ${purpose} of ${key} is not encrypted. If it was stored before encryption was turned on, set ` +
          'acceptPlaintext: true beside encryptionKeys until all are written anew; if not, an attacker may have put it there.',
      );
    }
    const secret = this.#keys.find(({ id }) => id === stored.kid)?.secret;
    if (!secret) {
      throw new ParityOptionsError(
        `The stored OAuth ${purpose} of ${key} is encrypted with the key '${stored.kid}', and encryptionKeys has ` +
          `${this.#keys.map(({ id }) => `'${id}'`).join(', ')}: put that key back, behind the first. Nothing is deleted.`,
      );
    }
    try {
      const data = Buffer.from(stored.data, 'base64');
      const nonce = Buffer.from(stored.nonce, 'base64');
      const decipher = createDecipheriv(ALGORITHM, secret, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(associated(purpose, key));
      decipher.setAuthTag(data.subarray(-TAG_BYTES));
      const text = decipher.update(data.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new ParityOptionsError(
        `The stored OAuth ${purpose} of ${key} does not open with its key '${stored.kid}': it was changed where it is stored, or ` +
          'belongs to another account. Restore the value, or let the account sign in again. Nothing is deleted.',
        { cause },
      );
    }
  }
}

const associated = (purpose: Purpose, key: string): Buffer =>
  Buffer.from(`nestjs-parity oauth ${purpose} ${key}`);
