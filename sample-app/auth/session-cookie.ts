import { createHmac, timingSafeEqual } from 'node:crypto';

/** The DID of who is signed in, with an end and a signature: `<did>.<seconds>.<hmac>`, the DID in base64url. */
export class SessionCookie {
  constructor(
    private readonly secret: Buffer,
    /** In seconds; by default as long as the OAuth session of a public client. */
    readonly lifetime = 14 * 24 * 60 * 60,
  ) {}

  seal(did: string): string {
    const content = `${Buffer.from(did).toString('base64url')}.${now() + this.lifetime}`;
    return `${content}.${this.signature(content)}`;
  }

  /** The DID, or null if the value is not ours, or is over. */
  open(value: string | undefined): string | null {
    const [did = '', end = '', signature = ''] = value?.split('.') ?? [];
    const expected = Buffer.from(this.signature(`${did}.${end}`));
    const given = Buffer.from(signature);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    return Number(end) > now() ? Buffer.from(did, 'base64url').toString() : null;
  }

  private signature(content: string): string {
    return createHmac('sha256', this.secret).update(content).digest('base64url');
  }
}

const now = (): number => Math.floor(Date.now() / 1_000);
