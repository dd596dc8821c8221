import { createServer } from 'node:http';
import { once } from 'node:events';
import { SessionCookie } from '../../sample-app/auth/session-cookie.js';
import { freePort } from '../../sample-app/free-port.js';
import { html } from '../../sample-app/views/html.js';

describe('the parts of the sample application', () => {
  it('escapes every value of a template, in lists and in attributes, but not templates', () => {
    const items = ['<b>', '"', "'", '&'];
    const list = html`<ul title="${'"><script>'}">
      ${items.map((item) => html`<li>${item}</li>`)}
    </ul>`;
    expect(list.text.replaceAll(/\s*\n\s*/g, '')).toBe(
      '<ul title="&quot;&gt;&lt;script&gt;"><li>&lt;b&gt;</li><li>&quot;</li><li>&#39;</li><li>&amp;</li></ul>',
    );
    expect(html`${null}${undefined}${false}${0}`.text).toBe('0');
    const forged = { text: '<script>' } as unknown as string;
    expect(() => html`${forged}`).toThrow('map is not a function');
  });

  it('opens only session cookies that are its own, whole, and not over', () => {
    const cookie = new SessionCookie(Buffer.from('a secret'));
    const value = cookie.seal('did:plc:abc');
    expect(cookie.open(value)).toBe('did:plc:abc');

    const [did, end, signature] = value.split('.');
    const bob = Buffer.from('did:plc:bob').toString('base64url');
    const changed = [
      `${bob}.${end}.${signature}`,
      `${did}.${Number(end) + 1}.${signature}`,
      `${did}.${end}.`,
    ];
    for (const other of [...changed, 'nonsense', '', undefined]) expect(cookie.open(other)).toBeNull();
    expect(new SessionCookie(Buffer.from('another')).open(value)).toBeNull();

    const ended = new SessionCookie(Buffer.from('a secret'), -1);
    expect(ended.open(ended.seal('did:plc:abc'))).toBeNull();
  });

  it('finds the next free port, and says what is no port', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    expect(await freePort(port)).toBeGreaterThan(port);
    taken.close();
    await expect(freePort(Number('abc'))).rejects.toThrow('PORT takes a number');
  });
});
