import { createServer } from 'node:http';
import { once } from 'node:events';
import { SessionCookie } from '../../sample-app/auth/session-cookie.js';
import { freePort } from '../../sample-app/free-port.js';
import { html } from '../../sample-app/views/html.js';
import { pendingSection } from '../../sample-app/views/pending.view.js';
import { postPage } from '../../sample-app/views/posts.view.js';

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

  it('tells a post that waits from one that was given up, and from a draft', () => {
    const author = { did: 'did:plc:abc', handle: 'alice.test' };
    const dates = { createdAt: new Date(), updatedAt: new Date() };
    const none = { uri: null, cid: null, recordUrl: null };
    const page = (status: 'draft' | 'published', waiting: boolean) =>
      postPage({ id: 1, content: 'x', author, status, waiting, ...none, ...dates }, null).text;
    expect(page('published', true)).toContain('No record yet.');
    expect(page('published', false)).toContain('No record. Save the post again to publish it.');
    expect(page('draft', false)).toContain('No record: a draft stays here.');
    expect(page('draft', false)).not.toContain('>waiting<');
  });

  it('shows the begin of what waits, cut between characters', () => {
    const sync = { operation: 'publish', postId: 1, uri: 'at://x', attempts: 1, lastError: '<b>' } as const;
    const since = '2026-01-01T00:00:00.000Z';
    const text = pendingSection([{ ...sync, since, content: '🙂'.repeat(70) }])?.text;
    expect(text).toContain(`: ${'🙂'.repeat(59)}…`);
    expect(text).toMatch(/1\s+attempt ·[^]*Last error: &lt;b&gt;/);
    expect(pendingSection([])).toBeNull();
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
